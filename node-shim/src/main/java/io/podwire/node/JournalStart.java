package io.podwire.node;

import io.podwire.node.dataplane.PodNames;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.IntentFolder;
import io.podwire.node.journal.Journal;
import io.podwire.node.journal.JournalException;
import io.podwire.node.netlink.rt.Link;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the journal, or says why it must not be believed. Pods that run are the judge: the journal is written
 * before a pod's link is made, and after it is gone, so a link that it does not know means that it has lost
 * something. Without any pod there is nothing to lose: a damaged journal is set aside then, and a new one begun.
 */
final class JournalStart {
    private static final Logger log = LoggerFactory.getLogger(JournalStart.class);
    private static final int NAMED = 5;

    private JournalStart() {}

    /** What a start found. */
    sealed interface Result {
        /** A journal that agrees with the kernel. The caller closes it. */
        record Good(Journal journal) implements Result {}

        /**
         * A journal that must not be believed while pods run.
         *
         * @param why one sentence
         */
        record Damaged(String why) implements Result {}
    }

    /**
     * Opens a journal.
     *
     * @param intents ADDs that were under way
     * @param links of the node
     * @throws JournalException when it is not damaged and cannot be used all the same
     * @throws IOException when a damaged one cannot be set aside
     */
    static Result open(Path file, IntentFolder intents, List<Link> links) throws IOException {
        List<Link> pods = links.stream().filter(PodNames::isPodLink).toList();
        Journal journal;
        try {
            journal = Journal.open(file);
        } catch (JournalException e) {
            if (e.reason() != JournalException.Reason.DAMAGED) {
                throw e;
            }
            if (!pods.isEmpty()) {
                log.error("pods run, and what the journal says of them must not be believed", e);
                return new Result.Damaged(e.getMessage());
            }
            setAside(file, e);
            journal = Journal.open(file);
        }
        Optional<String> lost = lost(journal, intents, pods);
        if (lost.isPresent()) {
            journal.close();
            return new Result.Damaged(lost.get());
        }
        return new Result.Good(journal);
    }

    private static Optional<String> lost(Journal journal, IntentFolder intents, List<Link> pods) {
        Set<String> known = Stream.concat(journal.attachments().stream(), intents.all().stream())
                .map(Attachment::hostIfname)
                .collect(Collectors.toSet());
        List<Link> unknown =
                pods.stream().filter(link -> !known.contains(link.name())).toList();
        if (unknown.isEmpty()) {
            return Optional.empty();
        }
        String named = unknown.stream()
                .limit(NAMED)
                .map(link -> link.name() + " (" + link.alias() + ")")
                .collect(Collectors.joining(", "));
        return Optional.of("the journal " + journal.file() + " does not know " + unknown.size() + " of "
                + pods.size() + " pods that run: " + named + (unknown.size() > NAMED ? ", ..." : "")
                + ". It has lost its end, or was taken away. See \"A damaged journal\" in docs/operating.md");
    }

    private static void setAside(Path file, JournalException why) throws IOException {
        Path aside = file.resolveSibling(file.getFileName() + ".damaged");
        Files.move(file, aside, StandardCopyOption.REPLACE_EXISTING);
        log.error("no pod runs, so nothing is lost: the damaged journal is now {}, a new one is begun", aside, why);
    }
}
