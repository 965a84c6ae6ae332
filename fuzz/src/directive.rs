//! Directives with a language of their own, as statements of a server block: whatever they say, they are refused where they
//! stand, or make whole replies.

use std::sync::Arc;

use contract::Spec;
use contract::corefile::{Memory, Report, Statement, parse};
use contract::wire::{Message, Name, RecordType};
use contract::{LabelBook, Looked, Plugin};

use crate::stage::{context, query, served};

/// The name that is asked for.
const NAME: &str = "ip-10-0-2-1.www.example.org";

/// Takes `template` statements.
pub fn template(data: &[u8]) {
    let spec = checked(data, template::check).into_iter().reduce(template::TemplateSpec::then);
    spec.into_iter().for_each(|spec| ask(&spec));
}

/// Takes `rewrite` statements.
pub fn rewrite(data: &[u8]) {
    let spec = checked(data, rewrite::check).into_iter().reduce(rewrite::RewriteSpec::then);
    spec.into_iter().for_each(|spec| ask(&spec));
}

/// Takes `view` statements.
pub fn view(data: &[u8]) {
    let question = query(Name::parse(NAME).expect("a name"), RecordType::A);
    let looked = Looked {
        client: &question.client,
        name: question.name.as_wire(),
        rtype: question.rtype,
        class: question.class,
        edns: question.edns,
        header: question.header,
        size: 45,
    };
    for spec in checked(data, view::check) {
        let selector = spec.selector(Arc::new(LabelBook::new(Some(spec.name.clone()), Some(vec![Name::root()]))));
        assert_eq!(selector.selects(&looked), selector.selects(&looked), "a view is for a question or not");
    }
}

/// The specifications of the statements that are right.
fn checked<S>(data: &[u8], check: fn(&Statement, &[Name], &mut Report) -> Option<S>) -> Vec<S> {
    let text = format!(". {{\n{}\n}}\n", String::from_utf8_lossy(data));
    let mut report = Report::new();
    let corefile = parse("Corefile", &text, &Memory::new(), &mut report);
    let statements = corefile.blocks.iter().flat_map(|block| &block.statements);
    let mut specs = Vec::new();
    for statement in statements {
        let before = report.errors();
        let spec = check(statement, &[Name::root()], &mut report);
        assert!(spec.is_some() || report.errors() > before, "what is refused is reported: {text}");
        specs.extend(spec);
    }
    let _ = report.to_string();
    specs
}

/// A plugin and its reply to a question, which is whole.
fn ask(spec: &impl Spec) {
    let _ = spec.describe();
    let plugin: Arc<dyn Plugin> = spec.build(&context()).expect("it needs nothing");
    for rtype in [RecordType::A, RecordType::TXT] {
        let Ok(reply) = served(Arc::clone(&plugin), &query(Name::parse(NAME).expect("a name"), rtype)) else {
            continue;
        };
        Message::parse(reply.answer.message().wire()).expect("a reply is a whole message");
    }
}
