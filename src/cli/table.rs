//! Tables that fit the terminal: one line a row, texts cut with `…`, fewer columns where there is little room.

use super::output::printable;
use super::terminal::{cut, display_width};

const BETWEEN: &str = "  ";
/// No text is cut to fewer columns than this.
const LEAST: usize = 6;
/// A text that is kept for as long as others can give room has this many columns.
const LEAST_OF_KEPT: usize = 16;
/// So many columns of a text are enough to make room for what is shown only if there is some.
const ENOUGH: usize = 24;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Always,
    /// Left out on a narrow terminal, the smallest first.
    UnlessNarrow(u8),
    /// Added on a wide terminal, in the order of the columns.
    IfWide,
}

#[derive(Clone, Copy)]
pub struct Column {
    header: &'static str,
    is_number: bool,
    /// Down to how many columns it may be cut, before others have to give more; none if it is always whole.
    least: Option<usize>,
    shown: Shown,
}

impl Column {
    /// A text that is cut where it has to be.
    pub const fn text(header: &'static str) -> Self {
        Self { header, is_number: false, least: Some(LEAST), shown: Shown::Always }
    }

    /// A text that is cut after the others.
    pub const fn kept(header: &'static str) -> Self {
        Self { least: Some(LEAST_OF_KEPT), ..Self::text(header) }
    }

    /// A short word, or a time, which is always whole.
    pub const fn whole(header: &'static str) -> Self {
        Self { least: None, ..Self::text(header) }
    }

    /// Always whole, and at the right of its column.
    pub const fn number(header: &'static str) -> Self {
        Self { is_number: true, ..Self::whole(header) }
    }

    /// Only shown where there is room for it beside all others.
    pub const fn if_wide(self) -> Self {
        Self { shown: Shown::IfWide, ..self }
    }

    /// Left out where the others have no room beside it, the smallest order first.
    pub const fn unless_narrow(self, order: u8) -> Self {
        Self { shown: Shown::UnlessNarrow(order), ..self }
    }
}

/// The table in plain columns, in lines of at most `width` columns if there is a width.
pub fn table<const N: usize>(columns: [Column; N], rows: Vec<[String; N]>, width: Option<usize>) -> String {
    let header = columns.map(|column| column.header.to_owned());
    let rows: Vec<[String; N]> =
        std::iter::once(header).chain(rows.into_iter().map(|row| row.map(|cell| printable(&cell)))).collect();
    let natural: Vec<usize> =
        (0..N).map(|index| rows.iter().map(|row| display_width(&row[index])).max().unwrap_or_default()).collect();
    let fitted = match width {
        None => natural.iter().copied().enumerate().collect(),
        Some(width) => fit(&columns, &natural, width),
    };
    let line = |row: &[String; N]| {
        let cells = fitted.iter().map(|(index, width)| pad(&row[*index], *width, columns[*index].is_number));
        let line = cells.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned();
        match width {
            None => line,
            Some(width) => cut(&line, width),
        }
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The columns that are shown, and how wide each is.
fn fit(columns: &[Column], natural: &[usize], width: usize) -> Vec<(usize, usize)> {
    let total = |shown: &[usize], width_of: &dyn Fn(usize) -> usize| {
        shown.iter().map(|index| width_of(*index)).sum::<usize>() + BETWEEN.len() * shown.len().saturating_sub(1)
    };
    let least = |index: usize| natural[index].min(columns[index].least.map_or(usize::MAX, |_| LEAST));
    let enough = |index: usize| natural[index].min(columns[index].least.map_or(usize::MAX, |_| ENOUGH));
    let mut shown: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].shown != Shown::IfWide).collect();
    let order = |index: &usize| match columns[*index].shown {
        Shown::UnlessNarrow(order) => Some(order),
        Shown::Always | Shown::IfWide => None,
    };
    while total(&shown, &least) > width {
        let Some(first) = shown.iter().copied().filter(|index| order(index).is_some()).min_by_key(order) else { break };
        shown.retain(|index| *index != first);
    }
    for index in (0..columns.len()).filter(|index| columns[*index].shown == Shown::IfWide) {
        let with_it: Vec<usize> = shown.iter().copied().chain([index]).collect();
        if total(&with_it, &enough) > width {
            break;
        }
        shown = with_it;
    }
    let mut widths: Vec<usize> = shown.iter().map(|index| natural[*index]).collect();
    let room = width.saturating_sub(BETWEEN.len() * shown.len().saturating_sub(1));
    let least_of_all = |most: usize| shown.iter().map(move |index| columns[*index].least.map(|least| least.min(most)));
    shrink(&mut widths, &least_of_all(usize::MAX).collect::<Vec<_>>(), room);
    shrink(&mut widths, &least_of_all(LEAST).collect::<Vec<_>>(), room);
    shown.into_iter().zip(widths).collect()
}

/// Takes from the widest column that may be cut until all of them fit, or none can give more.
fn shrink(widths: &mut [usize], least: &[Option<usize>], room: usize) {
    while widths.iter().sum::<usize>() > room {
        let can_give = (0..widths.len()).filter(|index| least[*index].is_some_and(|least| widths[*index] > least));
        let Some(widest) = can_give.max_by_key(|index| widths[*index]) else { return };
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

    fn show(tests: [&str; 2], width: Option<usize>) -> String {
        let columns = [
            Column::number("RUN"),
            Column::kept("LOCATION"),
            Column::text("TEST").unless_narrow(2),
            Column::text("REPO").unless_narrow(1),
            Column::text("TYPE").if_wide(),
            Column::whole("ENDS"),
        ];
        let row = |cells: [&str; 6]| cells.map(str::to_owned);
        let rows = vec![
            row(["7", "azure-k8s-west", tests[0], "webshop", "soak", "in 12m"]),
            row(["1042", "集群一号", tests[1], "压测仓库", "load", "?"]),
        ];
        table(columns, rows, width)
    }

    const LONG: [&str; 2] =
        ["a-very-long-name-of-a-test-that-nobody-wants-to-see-whole", "压测集群压测集群压测集群压测集群"];

    #[test]
    fn a_terminal_has_one_line_a_row_and_cuts_locations_last() {
        assert_eq!(
            show(LONG, Some(60)).lines().collect::<Vec<_>>(),
            [
                " RUN  LOCATION        TEST                  REPO      ENDS",
                "   7  azure-k8s-west  a-very-long-name-of…  webshop   in 12m",
                "1042  集群一号        压测集群压测集群压…   压测仓库  ?",
            ]
        );
    }

    #[test]
    fn a_narrow_terminal_leaves_out_what_is_asked_for_least() {
        let columns = |width| show(LONG, Some(width)).lines().next().map(|line| line.split_whitespace().count());
        assert_eq!((columns(50), columns(34), columns(28), columns(20)), (Some(5), Some(4), Some(4), Some(3)));
        assert!(show(LONG, Some(28)).contains("in 12m"), "{}", show(LONG, Some(28)));
    }

    #[test]
    fn a_column_is_added_only_where_nothing_is_cut_for_it() {
        let short = ["soak", "load"];
        let widest = display_width(show(short, None).lines().nth(1).expect("a row"));
        assert!(show(short, Some(widest)).contains("TYPE"), "{}", show(short, Some(widest)));
        let narrower = show(short, Some(widest - 1));
        assert!(!narrower.contains("TYPE") && !narrower.contains('…'), "{narrower}");
        assert!(show(LONG, Some(100)).contains("TYPE"), "one long name takes no column away");
    }

    #[test]
    fn a_pipe_gets_everything() {
        let whole = show(LONG, None);
        assert!(
            whole.contains("TYPE") && whole.contains("nobody-wants-to-see-whole") && !whole.contains('…'),
            "{whole}"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [1, 10, 20, 40, 79, 80, 99, 100, 200] {
            for line in show(LONG, Some(width)).lines() {
                assert!(display_width(line) <= width, "{width} columns: {line}");
            }
        }
    }
}
