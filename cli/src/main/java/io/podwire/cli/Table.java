package io.podwire.cli;

import java.util.ArrayList;
import java.util.List;

/** Rows under headings, columns aligned by two spaces at least; nothing is cut off. */
public final class Table {
    private final List<List<String>> rows = new ArrayList<>();
    private final int columns;

    /** A table without rows. */
    public Table(String... headings) {
        columns = headings.length;
        rows.add(List.of(headings));
    }

    /** Adds a row; an empty cell prints as a dash, so that columns can be cut by programs. */
    public Table row(Object... cells) {
        if (cells.length != columns) {
            throw new IllegalArgumentException("a row needs " + columns + " cells, got " + cells.length);
        }
        List<String> row = new ArrayList<>();
        for (Object cell : cells) {
            String text = cell.toString();
            row.add(text.isEmpty() ? "-" : text);
        }
        rows.add(List.copyOf(row));
        return this;
    }

    /** The table with a line feed after each row, no trailing spaces. */
    public String text() {
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int i = 0; i < columns; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        StringBuilder text = new StringBuilder();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < columns; i++) {
                line.append(row.get(i)).repeat(' ', widths[i] - row.get(i).length() + 2);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }
}
