//! What need not be compared as text, because it is the same for every question.

use contract::wire::RecordType;

use crate::code::{Code, Fact};

/// Whether both are equal. The type of a question is compared as the number that it is.
pub(crate) fn equal(one: Code, other: Code) -> Code {
    match (one, other) {
        (Code::Fact(Fact::Type), Code::Text(name)) | (Code::Text(name), Code::Fact(Fact::Type)) => {
            Code::TypeIs(named(&name).into_iter().collect())
        }
        (one, other) => Code::Equal(Box::new([one, other])),
    }
}

/// Whether the first is one of the others.
pub(crate) fn among(item: Code, items: Vec<Code>) -> Code {
    let names: Option<Vec<&str>> = items
        .iter()
        .map(|item| match item {
            Code::Text(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    match (&item, names) {
        (Code::Fact(Fact::Type), Some(names)) => Code::TypeIs(names.into_iter().filter_map(named).collect()),
        _ => Code::Among(Box::new(item), items),
    }
}

/// The type that is called exactly so.
fn named(name: &str) -> Option<RecordType> {
    RecordType::parse(name).filter(|rtype| rtype.to_string() == name)
}
