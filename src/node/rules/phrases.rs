//! The few expressions and statements of nftables that our rules are made of, in the words of its JSON.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;

use nftables::expr::{
    CT, CTDir, Expression, Fib, FibFlag, FibResult, Map, Meta, MetaKey, NamedExpression, NgMode, Numgen, Payload,
    PayloadField, SetItem, Socket, SocketAttr,
};
use nftables::stmt::{Dup, Match, NAT, NATFamily, Operator, Set, SetOp, Statement};

/// Part of a rule; the rules are made anew each time, so nothing is borrowed.
pub(super) type Said = Statement<'static>;
type Expr = Expression<'static>;

/// `NAME` of a set as rules refer to it.
fn set(name: &str) -> Expr {
    text(format!("@{name}"))
}

fn text(words: impl Into<Cow<'static, str>>) -> Expr {
    Expression::String(words.into())
}

fn named(expression: NamedExpression<'static>) -> Expr {
    Expression::Named(expression)
}

fn meta(key: MetaKey) -> Expr {
    named(NamedExpression::Meta(Meta { key }))
}

/// A field of a header, such as `ip daddr`.
pub(super) fn field(protocol: &'static str, field: &'static str) -> Expr {
    named(NamedExpression::Payload(Payload::PayloadField(PayloadField {
        protocol: protocol.into(),
        field: field.into(),
    })))
}

fn is(left: Expr, right: Expr) -> Said {
    Statement::Match(Match { left, right, op: Operator::EQ })
}

fn within(left: Expr, right: &'static str) -> Said {
    Statement::Match(Match { left, right: text(right), op: Operator::IN })
}

/// `iifname "NAME"`.
pub(super) fn comes_by(device: &str) -> Said {
    is(meta(MetaKey::Iifname), text(device.to_owned()))
}

/// `ip daddr @SET`, or another field.
pub(super) fn in_set(left: Expr, name: &str) -> Said {
    is(left, set(name))
}

/// `udp dport PORT`, or another protocol and field.
pub(super) fn port(protocol: &'static str, which: &'static str, number: u16) -> Said {
    is(field(protocol, which), Expression::Number(number.into()))
}

/// `meta l4proto { tcp, udp }`.
pub(super) fn tcp_or_udp() -> Said {
    let both = ["tcp", "udp"].map(|name| SetItem::Element(text(name)));
    is(meta(MetaKey::L4proto), named(NamedExpression::Set(both.into())))
}

/// `socket wildcard 0`: a socket is open that is bound to just this address.
pub(super) fn has_socket() -> Said {
    is(named(NamedExpression::Socket(Socket { key: Cow::Owned(SocketAttr::Wildcard) })), Expression::Number(0))
}

/// `ct original KEY`, such as `ip daddr`: as the packet was before it was translated.
pub(super) fn original(key: &'static str) -> Expr {
    named(NamedExpression::CT(CT { key: key.into(), family: None, dir: Some(CTDir::Original) }))
}

/// `ct KEY VALUE`, such as `ct status dnat`.
pub(super) fn tracked(key: &'static str, value: &'static str) -> Said {
    within(named(NamedExpression::CT(CT { key: key.into(), family: None, dir: None })), value)
}

/// `fib daddr . iif oif exists`: the packet goes out where it came in.
pub(super) fn goes_back() -> Said {
    let flags = HashSet::from([FibFlag::Daddr, FibFlag::Iif]);
    is(named(NamedExpression::Fib(Fib { result: FibResult::Oif, flags })), Expression::Boolean(true))
}

/// `iifname . oifname`.
fn both_interfaces() -> Expr {
    named(NamedExpression::Concat(vec![meta(MetaKey::Iifname), meta(MetaKey::Oifname)]))
}

/// `add @SET { iifname . oifname }`.
pub(super) fn remember_interfaces(name: &str) -> Said {
    Statement::Set(Set { op: SetOp::Add, elem: both_interfaces(), set: format!("@{name}").into() })
}

/// `iifname . oifname @SET`.
pub(super) fn interfaces_in(name: &str) -> Said {
    is(both_interfaces(), set(name))
}

/// `dup to ADDRESS device "NAME"`.
pub(super) fn copy_to(address: String, device: &str) -> Said {
    Statement::Dup(Dup { addr: text(address), dev: Some(text(device.to_owned())) })
}

/// `dnat to ip daddr`: to where it goes anyhow, so that nobody else translates it.
pub(super) fn stays(daddr: Expr) -> Said {
    Statement::DNAT(Some(NAT { addr: Some(daddr), family: None, port: None, flags: None }))
}

/// `dnat to numgen random mod N map { 0 : ADDRESS . PORT, ... }`.
pub(super) fn goes_to_one_of(family: NATFamily, servers: &[SocketAddr]) -> Said {
    let each = servers.iter().zip(0..).map(|(server, number)| {
        let server = vec![text(server.ip().to_string()), Expression::Number(server.port().into())];
        SetItem::Mapping(Expression::Number(number), named(NamedExpression::Concat(server)))
    });
    let data = named(NamedExpression::Set(each.collect()));
    let count = u32::try_from(servers.len()).expect("there are few servers");
    let key = named(NamedExpression::Numgen(Numgen { mode: NgMode::Random, ng_mod: count, offset: Some(0) }));
    let addr = named(NamedExpression::Map(Box::new(Map { key, data })));
    Statement::DNAT(Some(NAT { addr: Some(addr), family: Some(family), port: None, flags: None }))
}
