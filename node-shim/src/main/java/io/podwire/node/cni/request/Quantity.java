package io.podwire.node.cni.request;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A Kubernetes quantity such as 10M, 1.5Gi or 1e6 ("resource.Quantity" of its API). */
final class Quantity {
    private static final Pattern TEXT =
            Pattern.compile("(?<number>[+-]?(?:[0-9]{1,30}(?:\\.[0-9]{0,30})?|\\.[0-9]{1,30}))"
                    + "(?:[eE](?<exponent>[+-]?[0-9]{1,2})|(?<suffix>[A-Za-z]{0,2}))");
    private static final Map<String, BigDecimal> SUFFIXES = Map.ofEntries(
            Map.entry("", BigDecimal.ONE),
            Map.entry("n", BigDecimal.ONE.movePointLeft(9)),
            Map.entry("u", BigDecimal.ONE.movePointLeft(6)),
            Map.entry("m", BigDecimal.ONE.movePointLeft(3)),
            Map.entry("k", BigDecimal.ONE.movePointRight(3)),
            Map.entry("M", BigDecimal.ONE.movePointRight(6)),
            Map.entry("G", BigDecimal.ONE.movePointRight(9)),
            Map.entry("T", BigDecimal.ONE.movePointRight(12)),
            Map.entry("P", BigDecimal.ONE.movePointRight(15)),
            Map.entry("E", BigDecimal.ONE.movePointRight(18)),
            Map.entry("Ki", BigDecimal.valueOf(1L << 10)),
            Map.entry("Mi", BigDecimal.valueOf(1L << 20)),
            Map.entry("Gi", BigDecimal.valueOf(1L << 30)),
            Map.entry("Ti", BigDecimal.valueOf(1L << 40)),
            Map.entry("Pi", BigDecimal.valueOf(1L << 50)),
            Map.entry("Ei", BigDecimal.valueOf(1L << 60)));

    private Quantity() {}

    /**
     * Its value, rounded up to a whole number as Kubernetes does.
     *
     * @throws IllegalArgumentException when it is no quantity
     */
    static BigDecimal parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        if (!matcher.matches()) {
            throw notOne(text);
        }
        BigDecimal number = new BigDecimal(matcher.group("number"));
        String exponent = matcher.group("exponent");
        // "1E" is an exa, "1E3" a thousand.
        BigDecimal unit = exponent == null
                ? SUFFIXES.get(matcher.group("suffix"))
                : BigDecimal.ONE.scaleByPowerOfTen(Integer.parseInt(exponent));
        if (unit == null) {
            throw notOne(text);
        }
        return number.multiply(unit).setScale(0, RoundingMode.UP);
    }

    private static IllegalArgumentException notOne(String text) {
        return new IllegalArgumentException("'" + text + "' is not a quantity such as 10M, 1.5Gi or 1e6");
    }
}
