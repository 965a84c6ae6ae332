//! The page for people: what was run on what, the figures to reach, and a table for each row.

use std::fmt::Write as _;

use super::Results;
use crate::goals::Goal;
use crate::record::Record;
use crate::spread::{Spread, grouped};

/// Decimals of ratios.
const RATIO: usize = 2;

/// RESULTS.md.
pub(crate) fn page(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = String::from("# Results\n\n");
    let rounds = if results.rounds == 1 { "1 round".to_owned() } else { format!("{} rounds", results.rounds) };
    let seconds = results.seconds;
    let kind = if results.quick { "A quick run (`--quick`)" } else { "A full run" };
    add(
        &mut text,
        &format!(
            "{kind} of `bench/run` on {}: {rounds}, {seconds} s for each measurement. {}, {} cores, {} GiB, Linux {}. \
         Each figure is the median of the rounds and, in parentheses, the least and the greatest; ratios are taken within \
         a round. What each row means: [README](README.md). All samples: [results.json](results.json).\n\n",
            machine.date,
            machine.processor,
            machine.cores,
            grouped(machine.memory, 0),
            machine.kernel,
        ),
    );
    add(&mut text, "![CPU per cached hit, and how far each figure is from what is to be reached](results.svg)\n\n");
    add(&mut text, "## Figures to reach\n\n| Row | What | To reach | Measured | Reached |\n|---|---|---|---|---|\n");
    for record in &results.rows {
        for goal in record.row.goals {
            let (measured, reached) = verdict(goal, record);
            let (name, says, reach) = (record.row.name, goal.says, goal.reach.text());
            add(&mut text, &format!("| [{name}](#{name}) | {says} | {reach} | {measured} | {reached} |\n"));
        }
    }
    add(&mut text, "\n");
    for record in &results.rows {
        add(&mut text, &row(record));
        add(&mut text, "\n");
    }
    // what other programs of this repository have measured, kept by hand
    add(&mut text, include_str!("../../loss.md"));
    add(&mut text, "\n");
    add(&mut text, "## Versions\n\n| Program | Says |\n|---|---|\n");
    for (name, version) in &results.versions {
        add(&mut text, &format!("| {name} | {} |\n", version.replace('|', "\\|")));
    }
    text
}

/// A row's section.
pub(crate) fn row(record: &Record) -> String {
    let row = record.row;
    // The anchor is the row's name, whatever its title is.
    let mut text = format!("## <a id=\"{}\"></a>{}\n\n{}\n\n", row.name, row.title, row.about);
    let servers = record.servers();
    if !servers.is_empty() {
        add(&mut text, &table(record, &servers));
    }
    for goal in row.goals {
        let (measured, reached) = verdict(goal, record);
        add(&mut text, &format!("- {}: {measured}; to reach: {}; reached: {reached}.\n", goal.says, goal.reach.text()));
    }
    for server in &servers {
        let voids = record.voids(server);
        if let Some(last) = voids.last() {
            let all = record.samples.iter().filter(|sample| sample.server == *server).count();
            add(&mut text, &format!("- **void**: {} of {all} measurements of {server}: {last}.\n", voids.len()));
        }
    }
    for note in &record.notes {
        add(&mut text, &format!("- {note}\n"));
    }
    text
}

fn table(record: &Record, servers: &[&str]) -> String {
    let row = record.row;
    let mut heads: Vec<String> = row.columns.iter().map(|column| column.head.to_owned()).collect();
    if let Some(compared) = &row.compared {
        let head = row.columns.iter().find(|column| column.key == compared.column).map_or("", |column| column.head);
        let head = head.split(',').next().unwrap_or_default();
        heads.push(format!("{head}, to {}'s", compared.to));
    }
    let mut text = format!("| |{}\n|---|{}\n", cells(&heads), "---:|".repeat(heads.len()));
    for server in servers {
        let is_void = !record.voids(server).is_empty();
        let cell = |spread: Option<Spread>, decimals| match spread {
            Some(spread) => spread.text(decimals),
            None if is_void => "**void**".to_owned(),
            None => "–".to_owned(),
        };
        let mut figures: Vec<String> =
            row.columns.iter().map(|column| cell(record.spread(server, column.key), column.decimals)).collect();
        if let Some(compared) = &row.compared {
            let own = record.figures(server, compared.column);
            let ratio = Spread::of_ratios(&own, &record.figures(compared.to, compared.column));
            figures.push(if *server == compared.to { "1".to_owned() } else { cell(ratio, RATIO) });
        }
        add(&mut text, &format!("| {server} |{}\n", cells(&figures)));
    }
    text + "\n"
}

fn cells(texts: &[String]) -> String {
    texts.iter().fold(String::new(), |mut line, text| {
        add(&mut line, &format!(" {text} |"));
        line
    })
}

/// What was measured, and whether that is enough.
fn verdict(goal: &Goal, record: &Record) -> (String, &'static str) {
    match goal.spread(record) {
        Some(spread) => (spread.text(RATIO), if goal.reach.is_met(spread) { "yes" } else { "**no**" }),
        None => ("not measured".to_owned(), "–"),
    }
}

fn add(text: &mut String, more: &str) {
    text.write_str(more).expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::results;

    #[test]
    fn the_page_tells_figures_spreads_and_verdicts() {
        let page = page(&results());
        assert!(page.contains("A quick run (`--quick`) of `bench/run` on 2026-11-21: 2 rounds"), "{page}");
        assert!(page.contains("| unbound | 1.65 (1.50 to 1.80) |"), "{page}");
        let goal =
            "| [hit](#hit) | cached hit, user CPU, nearpath to Unbound | at most 0.5 | 0.33 (0.33 to 0.33) | yes |";
        assert!(page.contains(goal), "{page}");
        assert!(page.contains("nearpath to the best peer | less than 1 | 0.60 (0.60 to 0.60) | yes |"), "{page}");
        assert!(page.contains("nearpath to CoreDNS | at most 0.25 | not measured | – |"), "{page}");
        assert!(page.contains("| unbound | Version 1.17.1 |"));
    }

    #[test]
    fn void_measurements_are_visible() {
        let page = page(&results());
        assert!(page.contains("- **void**: 1 of 7 measurements of unbound: a wrong answer."), "{page}");
        assert!(page.lines().any(|line| line.starts_with("| unbound |") && line.contains("**void**")), "{page}");
    }

    #[test]
    fn servers_are_compared_round_by_round() {
        let section = row(&results().rows[0]);
        assert!(section.contains("| all, to nearpath's |"), "{section}");
        let unbound = section.lines().find(|line| line.starts_with("| unbound |")).unwrap();
        assert!(unbound.ends_with("| 1.67 (1.67 to 1.67) |"), "{unbound}");
    }
}
