//! The one ordered table of directives: the only file that knows every plugin. Rows stand in query order, which is
//! CoreDNS's. Adding a plugin is a row here, a folder under `plugins/`, and a row in the support table.

use std::any::Any;
use std::sync::Arc;

use acl::AclSpec;
use contract::Plugin;
use contract::corefile::{Corefile, Report, Statement};
use contract::wire::Name;
use dns64::Dns64Spec;
use dnstap::DnstapSpec;
use erratic::ErraticSpec;
use file::FileSpec;
use loadbalance::LoadBalanceSpec;
use loop_guard::LoopGuard;
use privatezone::PrivateZoneSpec;
use proxyproto::ProxyprotoSpec;
use query_log::LogSpec;
use rewrite::RewriteSpec;
use template::TemplateSpec;

use crate::plan::BlockPlan;

/// A directive.
pub struct Row {
    /// Its name in the Corefile.
    pub name: &'static str,
    /// True if what is written in it can change an answer: then a change of it starts with an empty store.
    pub shapes_answers: bool,
    /// Reads all its statements of a server block into the block's plan.
    pub check: Check,
}

type Check = fn(&[&Statement], &mut BlockPlan, &mut Report);

/// Every directive that is served, in query order.
pub const DIRECTIVES: &[Row] = &[
    answers("metadata", |s, b, r| b.settings.metadata = one(metadata::check, s, &b.zones, r)),
    setting("cancel", |s, b, r| b.settings.cancel = one(cancel::check, s, &b.zones, r)),
    setting("proxyproto", |s, b, r| {
        b.settings.proxyproto = joined(proxyproto::check, ProxyprotoSpec::then, s, &b.zones, r)
    }),
    setting("timeouts", |s, b, r| b.settings.timeouts = one(timeouts::check, s, &b.zones, r)),
    setting("multisocket", |s, b, r| b.settings.multisocket = one(multisocket::check, s, &b.zones, r)),
    setting("reload", |s, b, r| b.settings.reload = one(reload::check, s, &b.zones, r)),
    setting("nsid", |s, b, r| b.settings.nsid = one(nsid::check, s, &b.zones, r)),
    setting("bufsize", |s, b, r| b.settings.bufsize = one(bufsize::check, s, &b.zones, r)),
    setting("bind", |s, b, r| b.settings.bind = all(bind::check, s, &b.zones, r)),
    setting("debug", |s, b, r| b.settings.debug = one(debug::check, s, &b.zones, r)),
    setting("trace", |s, b, r| b.step(one(trace::check, s, &b.zones, r))),
    setting("ready", |s, b, r| b.settings.ready = one(ready::check, s, &b.zones, r)),
    setting("health", |s, b, r| b.settings.health = one(health::check, s, &b.zones, r)),
    setting("pprof", |s, b, r| b.settings.pprof = one(profiling::check, s, &b.zones, r)),
    setting("shed", |s, b, r| b.settings.shed = one(shed::check, s, &b.zones, r)),
    setting("prometheus", |s, b, r| b.settings.prometheus = one(prometheus::check, s, &b.zones, r)),
    setting("errors", |s, b, r| b.step(one(errors::check, s, &b.zones, r))),
    setting("log", |s, b, r| b.step(joined(query_log::check, LogSpec::then, s, &b.zones, r))),
    setting("dnstap", |s, b, r| b.step(joined(dnstap::check, DnstapSpec::then, s, &b.zones, r))),
    answers("local", |s, b, r| b.step(one(local::check, s, &b.zones, r))),
    answers("dns64", |s, b, r| b.step(joined(dns64::check, Dns64Spec::then, s, &b.zones, r))),
    answers("any", |s, b, r| b.step(one(any::check, s, &b.zones, r))),
    setting("chaos", |s, b, r| b.settings.chaos = one(chaos::check, s, &b.zones, r)),
    setting("loadbalance", |s, b, r| b.step(joined(loadbalance::check, LoadBalanceSpec::then, s, &b.zones, r))),
    answers("rewrite", |s, b, r| b.step(joined(rewrite::check, RewriteSpec::then, s, &b.zones, r))),
    answers("autopath", |s, b, r| b.step(one(autopath::check, s, &b.zones, r))),
    setting("acl", |s, b, r| b.step(joined(acl::check, AclSpec::then, s, &b.zones, r))),
    answers("cache", |s, b, r| b.settings.cache = one(cache::check, s, &b.zones, r)),
    answers("header", |s, b, r| b.step(one(header::check, s, &b.zones, r))),
    setting("tls", |s, b, r| b.settings.tls = one(tls::check, s, &b.zones, r)),
    answers("minimal", |s, b, r| b.step(one(minimal::check, s, &b.zones, r))),
    answers("template", |s, b, r| b.step(joined(template::check, TemplateSpec::then, s, &b.zones, r))),
    answers("hosts", |s, b, r| b.step(one(hosts::check, s, &b.zones, r))),
    answers("file", |s, b, r| b.step(joined(file::check, FileSpec::then, s, &b.zones, r))),
    setting("loop", |s, b, r| b.step(one(loop_guard::check, s, &b.zones, r))),
    answers("privatezone", |s, b, r| b.step(joined(privatezone::check, PrivateZoneSpec::then, s, &b.zones, r))),
    answers("forward", |s, b, r| b.steps(all(forward::check, s, &b.zones, r))),
    answers("erratic", |s, b, r| b.step(joined(erratic::check, ErraticSpec::then, s, &b.zones, r))),
    answers("whoami", |s, b, r| b.step(one(whoami::check, s, &b.zones, r))),
    answers("view", |s, b, r| b.settings.view = one(view::check, s, &b.zones, r)),
];

/// What only all server blocks together tell; the number is the port of plain DNS for keys that name none.
pub const ACROSS: &[fn(&Corefile, u16, &mut Report)] = &[privatezone::check_blocks, shed::check_blocks];

/// True if a plugin meets a query before memory does: it stands above `cache`.
pub fn stands_ahead_of_memory(name: &str) -> bool {
    let place = |name: &str| DIRECTIVES.iter().position(|row| row.name == name);
    place(name) < place("cache")
}

/// A directive that changes no answer.
const fn setting(name: &'static str, check: Check) -> Row {
    Row { name, shapes_answers: false, check }
}

/// A directive that shapes answers.
const fn answers(name: &'static str, check: Check) -> Row {
    Row { name, shapes_answers: true, check }
}

/// The guards among the plugins: the daemon sends their probes and leaves when one comes back.
pub fn loop_guards(plugins: &[Arc<dyn Plugin>]) -> Vec<Arc<LoopGuard>> {
    let guard = |plugin: &Arc<dyn Plugin>| {
        let plugin: Arc<dyn Any + Send + Sync> = Arc::clone(plugin) as _;
        plugin.downcast::<LoopGuard>().ok()
    };
    plugins.iter().filter_map(guard).collect()
}

/// How a plugin's crate reads one statement.
type CheckOne<S> = fn(&Statement, &[Name], &mut Report) -> Option<S>;

/// A directive that may stand once in a server block.
fn one<S>(check: CheckOne<S>, statements: &[&Statement], zones: &[Name], report: &mut Report) -> Option<S> {
    for again in statements.iter().skip(1) {
        report
            .error(again.name.span, format!("`{}` stands twice in this server block", again.name))
            .expected("it once");
    }
    check(statements.first()?, zones, report)
}

/// A directive that may stand several times, each for itself.
fn all<S>(check: CheckOne<S>, statements: &[&Statement], zones: &[Name], report: &mut Report) -> Vec<S> {
    statements.iter().filter_map(|statement| check(statement, zones, report)).collect()
}

/// A directive that may stand several times, all of them together one step.
fn joined<S>(
    check: CheckOne<S>,
    join: fn(S, S) -> S,
    statements: &[&Statement],
    zones: &[Name],
    report: &mut Report,
) -> Option<S> {
    all(check, statements, zones, report).into_iter().reduce(join)
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
