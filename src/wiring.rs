//! The one ordered table of directives: the only file that knows every plugin. Rows stand in query order, which is
//! CoreDNS's. Adding a plugin is a row here, a folder under `plugins/`, and a row in the support table.

use std::any::Any;
use std::sync::Arc;

use contract::corefile::{Report, Statement};
use contract::{Plugin, Spec};
use loop_guard::LoopGuard;

use crate::plan::BlockPlan;

/// A directive.
pub struct Row {
    /// Its name in the Corefile.
    pub name: &'static str,
    /// True if what is written in it can change an answer: then a change of it starts with an empty store.
    pub shapes_answers: bool,
    /// Reads a statement into the plan of its server block.
    pub check: fn(&Statement, &mut BlockPlan, &mut Report),
}

/// Every directive that is served, in query order.
pub const DIRECTIVES: &[Row] = &[
    setting("timeouts", |s, b, r| once(timeouts::check(s, &b.zones, r), s, &mut b.settings.timeouts, r)),
    setting("reload", |s, b, r| once(reload::check(s, &b.zones, r), s, &mut b.settings.reload, r)),
    setting("bufsize", |s, b, r| once(bufsize::check(s, &b.zones, r), s, &mut b.settings.bufsize, r)),
    setting("bind", |s, b, r| once(bind::check(s, &b.zones, r), s, &mut b.settings.bind, r)),
    setting("debug", |s, b, r| b.settings.debug |= debug::check(s, &b.zones, r).is_some()),
    setting("ready", |s, b, r| once(ready::check(s, &b.zones, r), s, &mut b.settings.ready, r)),
    setting("health", |s, b, r| once(health::check(s, &b.zones, r), s, &mut b.settings.health, r)),
    setting("prometheus", |s, b, r| once(prometheus::check(s, &b.zones, r), s, &mut b.settings.prometheus, r)),
    setting("errors", |s, b, r| step(errors::check(s, &b.zones, r), b)),
    setting("log", |s, b, r| step(query_log::check(s, &b.zones, r), b)),
    answers("local", |s, b, r| step(local::check(s, &b.zones, r), b)),
    answers("any", |s, b, r| step(any::check(s, &b.zones, r), b)),
    answers("autopath", |s, b, r| step(autopath::check(s, &b.zones, r), b)),
    setting("acl", |s, b, r| step(acl::check(s, &b.zones, r), b)),
    answers("cache", |s, b, r| once(cache::check(s, &b.zones, r), s, &mut b.settings.cache, r)),
    setting("tls", |s, b, r| once(tls::check(s, &b.zones, r), s, &mut b.settings.tls, r)),
    answers("minimal", |s, b, r| step(minimal::check(s, &b.zones, r), b)),
    answers("hosts", |s, b, r| step(hosts::check(s, &b.zones, r), b)),
    setting("loop", |s, b, r| step(loop_guard::check(s, &b.zones, r), b)),
    answers("forward", |s, b, r| step(forward::check(s, &b.zones, r), b)),
    answers("whoami", |s, b, r| step(whoami::check(s, &b.zones, r), b)),
];

type Check = fn(&Statement, &mut BlockPlan, &mut Report);

/// A directive that changes no answer.
const fn setting(name: &'static str, check: Check) -> Row {
    Row { name, shapes_answers: false, check }
}

/// A directive that shapes answers.
const fn answers(name: &'static str, check: Check) -> Row {
    Row { name, shapes_answers: true, check }
}

/// One more step of the chain.
fn step(spec: Option<impl Spec + 'static>, block: &mut BlockPlan) {
    block.chain.extend(spec.map(|spec| Box::new(spec) as Box<dyn Spec>));
}

/// The guards among the plugins: the daemon sends their probes and leaves when one comes back.
pub fn loop_guards(plugins: &[Arc<dyn Plugin>]) -> Vec<Arc<LoopGuard>> {
    let guard = |plugin: &Arc<dyn Plugin>| {
        let plugin: Arc<dyn Any + Send + Sync> = Arc::clone(plugin) as _;
        plugin.downcast::<LoopGuard>().ok()
    };
    plugins.iter().filter_map(guard).collect()
}

/// A setting that is written at most once in a block.
fn once<T>(spec: Option<T>, statement: &Statement, place: &mut Option<T>, report: &mut Report) {
    if place.is_some() {
        report
            .error(statement.name.span, format!("`{}` stands twice in this server block", statement.name))
            .expected("it once");
    }
    *place = spec;
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Support, support};

    #[test]
    fn every_served_directive_has_a_row_and_every_row_is_served() {
        let served = support::DIRECTIVES.iter().filter(|row| matches!(row.support, Support::Served { .. }));
        let mut served: Vec<_> = served.map(|row| row.name).filter(|name| *name != "import").collect();
        let mut rows: Vec<_> = DIRECTIVES.iter().map(|row| row.name).collect();
        served.sort_unstable();
        rows.sort_unstable();
        assert_eq!(served, rows, "the support table and the table of directives differ");
    }

    #[test]
    fn rows_stand_in_the_order_of_the_support_table() {
        let position = |name| support::DIRECTIVES.iter().position(|row| row.name == name);
        let order: Vec<_> = DIRECTIVES.iter().map(|row| position(row.name)).collect();
        assert!(order.is_sorted(), "query order is CoreDNS's: {order:?}");
    }
}
