package io.podwire.e2e.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** Samples of ours and of a peer's, and the one line each figure is printed as. */
final class Figures {
    private final List<Double> ours = new ArrayList<>();
    private final List<Double> peer = new ArrayList<>();

    void add(double our, double their) {
        ours.add(our);
        peer.add(their);
    }

    void addAll(Figures other) {
        ours.addAll(other.ours);
        peer.addAll(other.peer);
    }

    int runs() {
        return ours.size();
    }

    /** Prints a percentile of both, 0 to 100. */
    void print(String name, double percentile, String unit, String peerIs, int discarded) {
        if (ours.isEmpty()) {
            System.out.println("bench " + name + " no figure: the machine was disturbed during all " + discarded
                    + " samples, try again when it is quiet");
            return;
        }
        line(name, at(ours, percentile), at(peer, percentile), unit, peerIs, runs(), discarded);
    }

    /** Prints one figure. */
    static void line(String name, double ours, double peer, String unit, String peerIs, int runs, int discarded) {
        System.out.println(String.format(
                Locale.ROOT,
                "bench %s ours=%.2f%s peer=%.2f%s ratio=%.2f peer-is=%s runs=%d discarded=%d",
                name,
                ours,
                unit,
                peer,
                unit,
                ours / peer,
                peerIs,
                runs,
                discarded));
    }

    private static double at(List<Double> samples, double percentile) {
        List<Double> sorted = new ArrayList<>(samples);
        Collections.sort(sorted);
        int index = (int) Math.ceil(percentile / 100 * sorted.size()) - 1;
        return sorted.get(Math.max(0, index));
    }
}
