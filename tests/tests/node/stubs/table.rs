//! The table of the README: what each look-up costs, without AutoPath and with it, and the check that it stands there so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nearpath_tests::mode::{self, note};

use super::{kind, stub};

/// Between these lines of the README stands the table.
const BEGIN: &str = "<!-- counted by tests/run node -->\n";
const END: &str = "<!-- end of what is counted -->\n";

/// Set, it has the README's table written anew.
const WRITE: &str = "NEARPATH_WRITE_README";

/// Questions that a look-up costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// Without AutoPath.
    pub(super) before: u32,
    /// With it.
    pub(super) after: u32,
}

/// A column for each stub, with a cost for each kind that it can ask for.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order of [`stub::ALL`].
    pub(super) columns: Vec<(&'static str, Vec<Option<Cost>>)>,
}

impl Table {
    /// As Markdown.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("| Look-up |");
        self.columns.iter().for_each(|(name, _)| write!(text, " {name} |").expect("a String takes all"));
        writeln!(text, "\n|---|{}", "---|".repeat(self.columns.len())).expect("a String takes all");
        for (row, kind) in kind::ALL.iter().enumerate().filter(|(_, kind)| kind.counted) {
            write!(text, "| {} |", kind.text).expect("a String takes all");
            for (_, costs) in &self.columns {
                let cell = costs[row].map_or("–".to_owned(), |cost| format!("{} → {}", cost.before, cost.after));
                write!(text, " {cell} |").expect("a String takes all");
            }
            text.push('\n');
        }
        text
    }

    /// Fails if the README says otherwise. Stubs that are not installed are passed over, their columns must stand there.
    #[track_caller]
    pub(super) fn is_that_of_the_readme(&self) {
        let path = mode::root().join("README.md");
        let readme = std::fs::read_to_string(&path).expect("there is a README");
        let (head, rest) = readme.split_once(BEGIN).expect("the README has the table's first mark");
        let (written, tail) = rest.split_once(END).expect("the README has the table's last mark");
        if std::env::var_os(WRITE).is_some() {
            assert_eq!(self.columns.len(), stub::ALL.len(), "the table is written with all stubs installed");
            std::fs::write(&path, format!("{head}{BEGIN}\n{}\n{END}{tail}", self.text())).expect("it can be written");
            note("the README's table is written anew");
            return;
        }
        let (stands, counted) = (cells(written), cells(&self.text()));
        let wrong: Vec<String> = counted
            .iter()
            .filter(|(place, cell)| stands.get(*place) != Some(cell))
            .map(|(place, cell)| format!("{place:?}: counted {cell}, the README says {:?}", stands.get(place)))
            .collect();
        assert!(wrong.is_empty(), "{WRITE}=1 writes the README's table anew:\n{}", wrong.join("\n"));
        let whole = stub::ALL.len() * kind::ALL.iter().filter(|kind| kind.counted).count();
        assert_eq!(stands.len(), whole, "the README's table has a cell for each stub and each kind, and no others");
    }
}

/// The cells of a table by row and column.
fn cells(table: &str) -> BTreeMap<(String, String), String> {
    let row = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = table.lines().filter(|line| line.starts_with("| ")).map(row);
    let columns = lines.next().unwrap_or_default();
    let mut cells = BTreeMap::new();
    for line in lines {
        for (column, cell) in columns.iter().zip(&line).skip(1) {
            cells.insert((line[0].clone(), column.clone()), cell.clone());
        }
    }
    cells
}
