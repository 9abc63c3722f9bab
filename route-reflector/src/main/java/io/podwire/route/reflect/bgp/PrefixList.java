package io.podwire.route.reflect.bgp;

import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which prefixes may pass: the first rule that matches decides, and what matches none may not.
 *
 * @param rules in their order
 */
public record PrefixList(List<Rule> rules) {
    /** None. */
    public static final PrefixList NOTHING = new PrefixList(List.of());

    private static final Pattern RULE =
            Pattern.compile("(?:(permit|deny)\\s+)?(\\S+/\\d+)(?:\\s+ge\\s+(\\d{1,3}))?(?:\\s+le\\s+(\\d{1,3}))?");

    /** Copies. */
    public PrefixList {
        rules = List.copyOf(rules);
    }

    /**
     * One rule.
     *
     * @param permit whether what matches may pass
     * @param within the prefixes that lie in it
     * @param least shortest length that matches
     * @param most longest length that matches
     */
    public record Rule(boolean permit, IpPrefix within, int least, int most) {
        /** Checks that some length can match. */
        public Rule {
            int bits = within.family().bits();
            if (least < within.length() || most < least || most > bits) {
                throw new IllegalArgumentException("a rule for " + within + " needs " + within.length()
                        + " <= ge <= le <= " + bits + ", got ge " + least + " and le " + most);
            }
        }

        private boolean matches(IpPrefix prefix) {
            return prefix.length() >= least && prefix.length() <= most && within.contains(prefix);
        }
    }

    /**
     * Reads rules such as {@code 10.0.0.0/8 le 24}, {@code deny 10.1.0.0/16 ge 17 le 32}, {@code 192.0.2.0/24}
     * for this prefix alone.
     *
     * @throws IllegalArgumentException naming the rule that is none
     */
    public static PrefixList parse(List<String> rules) {
        return new PrefixList(rules.stream().map(PrefixList::rule).toList());
    }

    private static Rule rule(String text) {
        Matcher matcher = RULE.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text
                    + "' is not a rule such as '10.0.0.0/8 le 24': [permit|deny] PREFIX [ge LENGTH] [le LENGTH]");
        }
        IpPrefix within = IpPrefix.parse(matcher.group(2));
        boolean ge = matcher.group(3) != null;
        int least = ge ? Integer.parseInt(matcher.group(3)) : within.length();
        int most = matcher.group(4) != null
                ? Integer.parseInt(matcher.group(4))
                : ge ? within.family().bits() : within.length();
        return new Rule(!"deny".equals(matcher.group(1)), within, least, most);
    }

    /** True when the prefix may pass. */
    public boolean permits(IpPrefix prefix) {
        // By index: this runs for each prefix that a neighbour tells, and an iterator would be made each time.
        for (int i = 0; i < rules.size(); i++) {
            Rule rule = rules.get(i);
            if (rule.matches(prefix)) {
                return rule.permit();
            }
        }
        return false;
    }
}
