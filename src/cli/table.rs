//! Tables that fit the terminal: one line a row, cut with `…`, fewer columns where there is little room.

use super::output::printable;
use super::terminal::{cut, display_width};

const BETWEEN: &str = "  ";
/// A terminal with fewer columns than this leaves out what is not asked for most.
const WIDE: usize = 100;
/// No text is cut to fewer columns than this.
const LEAST: usize = 6;

pub struct Column {
    header: &'static str,
    is_number: bool,
    may_be_cut: bool,
    needs_room: bool,
}

impl Column {
    /// A text that is cut where it has to be.
    pub const fn text(header: &'static str) -> Self {
        Self { header, is_number: false, may_be_cut: true, needs_room: false }
    }

    /// A short word, or a time, which is always whole.
    pub const fn whole(header: &'static str) -> Self {
        Self { may_be_cut: false, ..Self::text(header) }
    }

    /// Always whole, and at the right of its column.
    pub const fn number(header: &'static str) -> Self {
        Self { is_number: true, ..Self::whole(header) }
    }

    /// Only shown where there is room.
    pub const fn if_wide(self) -> Self {
        Self { needs_room: true, ..self }
    }
}

/// The table in plain columns, in lines of at most `width` columns if there is a width.
pub fn table<const N: usize>(columns: [Column; N], rows: Vec<[String; N]>, width: Option<usize>) -> String {
    let is_shown = |column: &Column| !column.needs_room || width.is_none_or(|width| width >= WIDE);
    let shown: Vec<usize> = (0..N).filter(|index| is_shown(&columns[*index])).collect();
    let header = columns.each_ref().map(|column| column.header.to_owned());
    let rows: Vec<[String; N]> =
        std::iter::once(header).chain(rows.into_iter().map(|row| row.map(|cell| printable(&cell)))).collect();
    let natural = |index: usize| rows.iter().map(|row| display_width(&row[index])).max().unwrap_or_default();
    let mut widths: Vec<usize> = shown.iter().copied().map(natural).collect();
    if let Some(width) = width {
        let may_be_cut: Vec<bool> = shown.iter().map(|index| columns[*index].may_be_cut).collect();
        shrink(&mut widths, &may_be_cut, width.saturating_sub(BETWEEN.len() * shown.len().saturating_sub(1)));
    }
    let line = |row: &[String; N]| {
        let cells =
            shown.iter().zip(&widths).map(|(index, width)| pad(&row[*index], *width, columns[*index].is_number));
        let line = cells.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned();
        width.map_or(line.clone(), |width| cut(&line, width))
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Takes from the widest column that may be cut until all of them fit, or none can give more.
fn shrink(widths: &mut [usize], may_be_cut: &[bool], room: usize) {
    while widths.iter().sum::<usize>() > room {
        let widest = (0..widths.len()).filter(|index| may_be_cut[*index] && widths[*index] > LEAST);
        let Some(widest) = widest.max_by_key(|index| widths[*index]) else { return };
        widths[widest] -= 1;
    }
}

fn pad(text: &str, width: usize, at_the_right: bool) -> String {
    let text = cut(text, width);
    let space = " ".repeat(width.saturating_sub(display_width(&text)));
    if at_the_right { format!("{space}{text}") } else { format!("{text}{space}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(width: Option<usize>) -> String {
        let columns =
            [Column::number("RUN"), Column::text("TEST"), Column::text("TYPE").if_wide(), Column::whole("ENDS")];
        let row = |cells: [&str; 4]| cells.map(str::to_owned);
        let rows = vec![
            row(["7", "a-very-long-name-of-a-test-that-nobody-wants-to-see-whole", "soak", "in 12m"]),
            row(["1042", "压测集群压测集群压测集群压测集群压测集群压测集群压测集群", "load", "?"]),
        ];
        table(columns, rows, width)
    }

    #[test]
    fn a_narrow_terminal_has_one_line_a_row_and_fewer_columns() {
        let lines = show(Some(40));
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                " RUN  TEST                        ENDS",
                "   7  a-very-long-name-of-a-tes…  in 12m",
                "1042  压测集群压测集群压测集群…   ?",
            ]
        );
    }

    #[test]
    fn a_pipe_gets_everything() {
        let whole = show(None);
        assert!(
            whole.contains("TYPE") && whole.contains("nobody-wants-to-see-whole") && !whole.contains('…'),
            "{whole}"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [1, 10, 20, 40, 79, 80, 99, 100, 200] {
            for line in show(Some(width)).lines() {
                assert!(display_width(line) <= width, "{width} columns: {line}");
            }
        }
    }
}
