//! The directive `template`: answers made out of the question, by templates as Go has them.
//!
//! ```text
//!   template CLASS TYPE ZONES { match ...; answer ... }    all of a block are one step, in order
//!          |
//!   class, type, zone? --no--> the next template ... after the last: the next plugin
//!          | yes
//!   a `match` fits? --no--> `fallthrough`: the next template; otherwise SERVFAIL
//!          | yes
//!   Program::text --> Record::parse --> reply; a CNAME's target is asked for in the server blocks
//! ```

mod language;
mod names;
mod reply;
mod rule;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::{Section, TemplateSpec, check};

/// The directive's name.
const NAME: &str = "template";

/// The words as people list them: `a`, `b` or `c`.
fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.pop() {
        None => "nothing".to_owned(),
        Some(only) if quoted.is_empty() => only,
        Some(last) => format!("{} or {last}", quoted.join(", ")),
    }
}
