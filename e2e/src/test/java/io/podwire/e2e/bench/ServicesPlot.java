package io.podwire.e2e.bench;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Connections a second over the number of services, a line for each side, as SVG; the number of services is in log scale. */
final class ServicesPlot {
    private static final int WIDTH = 720;
    private static final int HEIGHT = 420;
    private static final int LEFT = 80;
    private static final int RIGHT = 20;
    private static final int TOP = 40;
    private static final int BOTTOM = 50;
    private static final int LEGEND_STEP = 18;
    private static final List<String> COLOURS = List.of("#c2410c", "#f59e0b", "#1d4ed8", "#60a5fa");

    private ServicesPlot() {}

    /**
     * Draws.
     *
     * @param lines by their names: connections a second by number of services
     */
    static String svg(Map<String, Map<Integer, Double>> lines) {
        double most = lines.values().stream()
                .flatMap(line -> line.values().stream())
                .mapToDouble(Double::doubleValue)
                .filter(value -> !Double.isNaN(value))
                .max()
                .orElse(1);
        double top = nice(most);
        List<Integer> counts = lines.values().stream()
                .flatMap(line -> line.keySet().stream())
                .distinct()
                .sorted()
                .toList();
        StringBuilder out = new StringBuilder();
        out.append(String.format(
                Locale.ROOT,
                "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' font-family='sans-serif' font-size='13'>",
                WIDTH,
                HEIGHT));
        out.append(String.format(Locale.ROOT, "<rect width='%d' height='%d' fill='white'/>", WIDTH, HEIGHT));
        out.append(String.format(
                Locale.ROOT, "<text x='%d' y='20'>new TCP connections a second, one after the other</text>", LEFT));
        for (int i = 0; i <= 5; i++) {
            double y = y(top * i / 5, top);
            out.append(String.format(
                    Locale.ROOT,
                    "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#ddd'/>",
                    LEFT,
                    WIDTH - RIGHT,
                    y,
                    y));
            out.append(String.format(
                    Locale.ROOT, "<text x='%d' y='%.1f' text-anchor='end'>%.0f</text>", LEFT - 8, y + 4, top * i / 5));
        }
        for (int count : counts) {
            double x = x(count, counts);
            out.append(String.format(
                    Locale.ROOT,
                    "<text x='%.1f' y='%d' text-anchor='middle'>%d</text>",
                    x,
                    HEIGHT - BOTTOM + 20,
                    count));
        }
        out.append(String.format(
                Locale.ROOT,
                "<text x='%d' y='%d' text-anchor='middle'>services of 10 endpoints each</text>",
                WIDTH / 2,
                HEIGHT - 10));
        int number = 0;
        for (Map.Entry<String, Map<Integer, Double>> line : lines.entrySet()) {
            String colour = COLOURS.get(number % COLOURS.size());
            StringBuilder points = new StringBuilder();
            for (int count : counts) {
                double value = line.getValue().getOrDefault(count, Double.NaN);
                if (!Double.isNaN(value)) {
                    points.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(count, counts), y(value, top)));
                    out.append(String.format(
                            Locale.ROOT,
                            "<circle cx='%.1f' cy='%.1f' r='3.5' fill='%s'/>",
                            x(count, counts),
                            y(value, top),
                            colour));
                }
            }
            out.append(String.format(
                    Locale.ROOT, "<polyline points='%s' fill='none' stroke='%s' stroke-width='2'/>", points, colour));
            int y = HEIGHT - BOTTOM - 12 - LEGEND_STEP * number;
            out.append(String.format(
                    Locale.ROOT, "<rect x='%d' y='%d' width='12' height='4' fill='%s'/>", LEFT + 12, y - 6, colour));
            out.append(String.format(Locale.ROOT, "<text x='%d' y='%d'>%s</text>", LEFT + 30, y, line.getKey()));
            number++;
        }
        return out.append("</svg>\n").toString();
    }

    private static double x(int count, List<Integer> counts) {
        double low = Math.log(counts.getFirst());
        double high = Math.log(counts.getLast());
        double part = high > low ? (Math.log(count) - low) / (high - low) : 0.5;
        return LEFT + 40 + part * (WIDTH - RIGHT - LEFT - 80);
    }

    private static double y(double value, double top) {
        return HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP);
    }

    /** The least of 1, 2, 5, 10, 20, ... that is not below. */
    private static double nice(double value) {
        double power = Math.pow(10, Math.floor(Math.log10(value)));
        for (double step : List.of(1.0, 2.0, 5.0)) {
            if (value <= step * power) {
                return step * power;
            }
        }
        return 10 * power;
    }
}
