//! The command `nft`: one transaction in, one table out, and the form in which two tables are compared.

use serde_json::Value;

use super::wanted::Family;
use super::{RulesError, command};

const NFT: &str = "nft";

/// Does all of it or nothing.
pub(super) fn commit(batch: &Value) -> Result<(), RulesError> {
    command::run(NFT, &["-j", "-f", "-"], &batch.to_string())?.done(NFT).map(drop)
}

/// Asks the kernel whether it would do all of it.
pub(super) fn check(batch: &Value) -> Result<(), RulesError> {
    command::run(NFT, &["-c", "-j", "-f", "-"], &batch.to_string())?.done(NFT).map(drop)
}

/// A table as it is in the kernel; `None` if there is none, or no `nft`. It is asked for by its name: a list of all tables would
/// be made out of all rules of the host.
pub(super) fn table(name: &str, family: Family) -> Result<Option<Value>, RulesError> {
    if command::find(NFT).is_none() {
        return Ok(None);
    }
    match read(&["-j", "list", "table", word(family), name]) {
        Err(error) if error.is_absence() => Ok(None),
        table => table.map(Some),
    }
}

/// Those of these families that have a table of this name.
pub(super) fn present(name: &str, families: impl IntoIterator<Item = Family>) -> Result<Vec<Family>, RulesError> {
    let mut present = Vec::new();
    for family in families {
        present.extend(table(name, family)?.map(|_| family));
    }
    Ok(present)
}

/// The objects of a table without what changes by itself: handles, the time that elements have left, and what a rule adds
/// to the set called `alive`.
pub(super) fn normal(table: &Value, alive: &str) -> Vec<Value> {
    let mut all: Vec<_> = objects(table).iter().filter(|object| object.get("metainfo").is_none()).cloned().collect();
    for object in &mut all {
        for (kind, content) in object.as_object_mut().into_iter().flatten() {
            let Some(content) = content.as_object_mut() else { continue };
            content.remove("handle");
            if kind == "set" && content.get("name").is_some_and(|name| name == alive) {
                content.remove("elem");
            }
            let Some(elements) = content.get_mut("elem").and_then(Value::as_array_mut) else { continue };
            for element in elements.iter_mut() {
                element.get_mut("elem").and_then(Value::as_object_mut).map(|inner| inner.remove("expires"));
            }
            elements.sort_by_cached_key(Value::to_string);
        }
    }
    all
}

/// How many rules there are among the objects of a batch or a table.
pub(super) fn rules(objects: &[Value]) -> usize {
    let is_rule = |object: &&Value| object.get("rule").or_else(|| object.pointer("/add/rule")).is_some();
    objects.iter().filter(is_rule).count()
}

/// The objects of a document.
pub(super) fn objects(value: &Value) -> &[Value] {
    value["nftables"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

fn read(arguments: &[&str]) -> Result<Value, RulesError> {
    let said = command::run(NFT, arguments, "")?.done(NFT)?;
    serde_json::from_str(&said).map_err(|error| RulesError::Garbled { program: NFT.to_owned(), error })
}
