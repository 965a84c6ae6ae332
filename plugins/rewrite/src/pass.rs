//! A question's way through the rules: what it becomes, and what is to happen to its reply.

use std::sync::Arc;

use contract::wire::{Class, Name, RecordType};
use contract::{LabelBook, Query};

use crate::edns::{Asked, Sending};
use crate::rule::{Action, Change, Due, NameRule, Rule};
use crate::swap::{Find, Swap};
use crate::text;

/// What the rules made of a question.
#[derive(Debug)]
pub(crate) struct Pass<'r> {
    /// The name that is asked for.
    pub(crate) name: Name,
    /// The type.
    pub(crate) rtype: RecordType,
    /// The class.
    pub(crate) class: Class,
    /// EDNS options for upstreams, in wire form.
    pub(crate) sent: Option<Arc<[u8]>>,
    /// What happens to the reply; the last one first.
    pub(crate) due: Vec<Due<'r>>,
    /// A rule was asked that looks at who asks.
    pub(crate) is_personal: bool,
}

/// A rule made a name that is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoName(pub(crate) String);

impl<'r> Pass<'r> {
    /// Takes a question through the rules in order.
    pub(crate) fn of(rules: &'r [Rule], query: &Query, labels: &LabelBook) -> Result<Self, NoName> {
        let mut text = text::of_wire(query.name.as_wire());
        let mut options = query.options.asked.as_deref().map(Sending::of_client).unwrap_or_default();
        let (name, rtype, class) = (query.name.clone(), query.rtype, query.class);
        let mut pass = Self { name, rtype, class, sent: None, due: Vec::new(), is_personal: false };
        for rule in rules {
            pass.is_personal |= rule.action.is_personal();
            let is_done = match &rule.action {
                Action::Edns(edns) => {
                    let asked = Asked { client: &query.client, name: &text, rtype: pass.rtype, labels };
                    edns.apply(asked, &mut options)
                }
                other => pass.apply(other, &mut text)?,
            };
            if is_done && rule.is_last {
                break;
            }
        }
        pass.sent = options.sent();
        Ok(pass)
    }

    /// Does what a rule says to the question, whose name is `text`; true if it did something.
    fn apply(&mut self, action: &'r Action, text: &mut String) -> Result<bool, NoName> {
        match action {
            Action::Name(rule) => return self.rename(rule, text),
            Action::Type { from, to } if self.rtype == *from => self.rtype = *to,
            Action::Class { from, to } if self.class == *from => self.class = *to,
            Action::Reply { find, change } if find.is_in(text) => self.due.push(Due::Borrowed(change)),
            Action::Every { change } => self.due.push(Due::Borrowed(change)),
            Action::Type { .. } | Action::Class { .. } | Action::Reply { .. } | Action::Edns(_) => return Ok(false),
        }
        Ok(true)
    }

    fn rename(&mut self, rule: &'r NameRule, text: &mut String) -> Result<bool, NoName> {
        let Some(renamed) = rule.swap.apply(text) else { return Ok(false) };
        let Some(name) = text::name(&renamed) else { return Err(NoName(renamed)) };
        self.name = name;
        let old = std::mem::replace(text, renamed);
        if rule.restores {
            let back = Swap::plain(Find::Below(text.clone()), &old);
            self.due.push(Due::Owned(Change::Owner(back.clone())));
            self.due.push(Due::Owned(Change::Value(back)));
        }
        self.due.extend(rule.changes.iter().map(Due::Borrowed));
        Ok(true)
    }

    /// True if another question is asked.
    pub(crate) fn asks_otherwise(&self, query: &Query) -> bool {
        self.name != query.name || self.rtype != query.rtype || self.class != query.class
    }
}
