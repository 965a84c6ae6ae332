//! What the blocks of one address make of their settings together.

use std::num::NonZeroU16;

use contract::corefile::Disk;
use proxyproto::Policy;

use super::*;
use crate::plan;

/// How the sockets are opened of blocks with these directives.
fn opened(blocks: &[&str]) -> Opening {
    let text: String = (0..).zip(blocks).map(|(zone, body)| format!("z{zone}. {{\n{body}\nwhoami\n}}\n")).collect();
    let checked = plan::check("Corefile", &text, &Disk, 53);
    let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.report));
    let built: Vec<Built<'_>> =
        plan.blocks.iter().map(|plan| Built { plan, chain: Box::default(), labels: Arc::default() }).collect();
    opening(&built.iter().collect::<Vec<_>>())
}

#[test]
fn of_several_proxyproto_at_an_address_the_last_counts_and_of_multisocket_the_first() {
    assert_eq!(opened(&["", ""]), Opening::default());
    let first = "proxyproto {\n allow 10.0.0.0/8\n default skip\n udp_session_tracking 28s 20\n}\nmultisocket 3";
    let last = "proxyproto {\n default reject\n}\nmultisocket 5";
    let Opening { sockets, proxy } = opened(&[first, "", last, ""]);
    let proxy = proxy.expect("two blocks have it");
    assert_eq!((proxy.allow.as_slice(), proxy.default), (&[][..], Some(Policy::Reject)));
    assert_eq!(proxy.tracking(), opened(&[first]).proxy.and_then(|first| first.tracking()));
    assert!(proxy.tracking().is_some());
    assert_eq!(sockets, NonZeroU16::new(3));
}
