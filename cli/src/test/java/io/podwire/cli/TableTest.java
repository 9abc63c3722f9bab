package io.podwire.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TableTest {
    @Test
    void columnsAreAlignedAndEmptyCellsAreDashes() {
        assertThat(new Table("NAME", "N", "LAST")
                        .row("a-long-name", 1, "")
                        .row("b", 22, "x y")
                        .text())
                .as("text")
                .isEqualTo("""
                        NAME         N   LAST
                        a-long-name  1   -
                        b            22  x y
                        """);
    }

    @Test
    void aRowHasACellForEachHeading() {
        assertThatThrownBy(() -> new Table("A", "B").row("only"))
                .as("a missing cell is a bug")
                .isInstanceOf(IllegalArgumentException.class);
    }
}
