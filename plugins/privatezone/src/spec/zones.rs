//! What a statement answers for: its ZONES, or those of its server block; and the zones of `fallthrough`.

use contract::corefile::{Report, Span, Statement, Word, value};
use contract::wire::Name;

const EXPECTED: &str = "a zone such as `corp.example.org`";

/// The zones of a statement, as far as they are well written, each with its place. Says nothing of the others: [`read`] does.
pub(crate) fn written(statement: &Statement, of_block: &[Name]) -> Vec<(Name, Span)> {
    if statement.arguments.is_empty() {
        let zones = of_block.iter().filter(|zone| !zone.is_root());
        return zones.map(|zone| (zone.clone(), statement.name.span)).collect();
    }
    let of =
        |word: &Word| parse(word).unwrap_or_default().into_iter().map(|zone| (zone, word.span)).collect::<Vec<_>>();
    let all = statement.arguments.iter().flat_map(of);
    all.filter(|(zone, _)| !zone.is_root() && of_block.iter().any(|block| block.encloses(zone))).collect()
}

/// The zones of a statement, each once. `of_block` are those of its server block; empty if all its keys are wrong.
pub(crate) fn read(statement: &Statement, of_block: &[Name], report: &mut Report) -> Vec<Name> {
    for word in &statement.arguments {
        match parse(word) {
            Ok(zones) => zones.iter().for_each(|zone| check(zone, word, of_block, report)),
            Err(reason) => {
                report.error(word.span, format!("wrong zone `{word}`: {reason}")).expected(EXPECTED);
            }
        }
    }
    let mut zones: Vec<Name> = Vec::new();
    for (zone, span) in written(statement, of_block) {
        if zones.contains(&zone) {
            report.error(span, format!("the zone {zone} stands twice")).help("keep one of them");
        } else {
            zones.push(zone);
        }
    }
    if statement.arguments.is_empty() && zones.is_empty() && !of_block.is_empty() {
        let error =
            report.error(statement.span().after(), "no zone: this server block serves `.`, which is not private");
        error.expected("`privatezone ZONE...`, or a server block for the private zone");
    }
    zones
}

fn check(zone: &Name, word: &Word, of_block: &[Name], report: &mut Report) {
    if value::address(&word.text, 53).is_ok() {
        let error = report.error(word.span, format!("wrong zone `{word}`: this is an address"));
        error.expected(EXPECTED).help(format!("write `to {word}` between the braces"));
    } else if zone.is_root() {
        let error = report.error(word.span, "wrong zone `.`: the names of all the world are not private");
        error.expected(EXPECTED).help("to ask one resolver for everything, write `forward . ADDRESS`");
    } else if !of_block.is_empty() && !of_block.iter().any(|block| block.encloses(zone)) {
        let serves = of_block.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let error = report.error(
            word.span,
            format!("wrong zone `{word}`: it does not lie in this server block, which serves {serves}"),
        );
        error.help(format!("write it into the server block of `.`, or into one of its own: `{word} {{ ... }}`"));
    }
}

/// The zones of `fallthrough`: of which names that do not exist are asked for elsewhere. `zones` are the statement's.
pub(crate) fn fallthrough(statement: &Statement, zones: &[Name], report: &mut Report) -> Vec<Name> {
    let Some(property) = statement.property("fallthrough") else { return Vec::new() };
    if property.arguments.is_empty() {
        return zones.to_vec();
    }
    let mut through = Vec::new();
    for word in &property.arguments {
        let own = |zone: &Name| zones.iter().any(|own| own.encloses(zone));
        match parse(word) {
            Ok(named) if zones.is_empty() || named.iter().all(own) => through.extend(named),
            Ok(_) => {
                let of = zones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let error = report.error(word.span, format!("`{word}` does not lie in the private zone: {of}"));
                error.help("`fallthrough` alone stands for all of its names");
            }
            Err(reason) => {
                report.error(word.span, format!("wrong zone `{word}`: {reason}")).expected(EXPECTED);
            }
        }
    }
    through.sort();
    through.dedup();
    through
}

/// A zone, or the reverse zones of a prefix.
pub(crate) fn parse(word: &Word) -> Result<Vec<Name>, String> {
    let zones = value::zone(&word.text)?;
    Ok(zones.iter().map(|zone| Name::parse(zone.as_str()).expect("a zone of a Corefile is a name")).collect())
}
