//! Why a question is no first step of a search: every reason that the directive gives, each by a question that has only that.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use autopath::Autopath;
use contract::wire::{Name, RecordType};
use contract::{Clock as _, Context, FakeClock, Plain, Plugin as _, Pod, PodIndex, Resident, Scoper as _};

const A: RecordType = RecordType::A;
const POD: &str = "10.0.0.1";
const FIRST: &str = "www.example.com.shop.svc.d.e";

fn context(clock: &Arc<FakeClock>) -> Context {
    Context {
        clock: Arc::<FakeClock>::clone(clock),
        metrics: Arc::default(),
        lists: Arc::default(),
        server: "dns://d.e.:53".to_owned(),
        state_dir: None,
        cluster: Arc::new(contract::NoCluster),
        shelf: Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    }
}

fn pod(context: &Context, name: &str, addresses: &[&str], first: &str, ndots: u8) -> Pod {
    Pod {
        name: name.into(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        list: context.lists.intern(&[Name::parse(first).unwrap(), Name::parse("svc.d.e").unwrap()]),
        ndots,
    }
}

fn directive() -> (Autopath, Context) {
    let context = context(&Arc::default());
    let index = Arc::new(PodIndex::default());
    let pods = [
        pod(&context, "shop/web", &[POD], "shop.svc.d.e", 5),
        pod(&context, "shop/few", &["10.0.0.2"], "shop.svc.d.e", 2),
        pod(&context, "shop/one", &["10.0.0.3"], "shop.svc.d.e", 5),
        pod(&context, "shop/other", &["10.0.0.3"], "shop.svc.d.e", 5),
        pod(&context, "shop/gone", &["10.0.0.4"], "shop.svc.d.e", 5),
        pod(&context, "shop/root", &["10.0.0.6"], ".", 5),
    ];
    index.replace_with(&pods, [("10.0.0.5".parse().unwrap(), Plain::HostNetwork)]);
    index.withdraw("10.0.0.4".parse().unwrap());
    (Autopath::new(vec![Name::parse("d.e").unwrap()], index, None, &context), context)
}

#[test]
fn each_reason_is_given_for_its_own_question() {
    let (directive, _) = directive();
    for (client, name, rtype, dnssec_ok, expected) in [
        (POD, FIRST, A, false, None),
        (POD, FIRST, A, true, Some(Plain::Dnssec)),
        (POD, FIRST, RecordType::SOA, false, Some(Plain::Type)),
        (POD, "www.example.com", A, false, Some(Plain::Zone)),
        (POD, "web.svc.d.e", A, false, Some(Plain::Name)),
        (POD, "shop.svc.d.e", A, false, Some(Plain::Name)),
        (POD, r"a\.b.shop.svc.d.e", A, false, Some(Plain::Name)),
        (POD, "4.2.0.192.in-addr.arpa.shop.svc.d.e", RecordType::PTR, false, Some(Plain::Name)),
        ("10.0.0.6", "www.d.e", A, false, Some(Plain::Name)),
        (POD, "a.b.c.d.e.f.shop.svc.d.e", A, false, Some(Plain::Dots)),
        ("10.0.0.2", FIRST, A, false, Some(Plain::Dots)),
        ("10.0.0.2", "a.b.shop.svc.d.e", A, false, None),
        ("10.0.0.9", FIRST, A, false, Some(Plain::Unknown)),
        ("10.0.0.3", FIRST, A, false, Some(Plain::Conflict)),
        ("10.0.0.4", FIRST, A, false, Some(Plain::Doubt)),
        ("10.0.0.5", FIRST, A, false, Some(Plain::HostNetwork)),
    ] {
        let client: IpAddr = client.parse().unwrap();
        let said = directive.search(client, Name::parse(name).unwrap().as_wire(), rtype, dnssec_ok);
        assert_eq!(said.err(), expected, "{client} {name} {rtype} {dnssec_ok}");
    }
    directive.index().forget();
    let said = directive.search(POD.parse().unwrap(), Name::parse(FIRST).unwrap().as_wire(), A, false);
    assert_eq!(said, Err(Plain::NotSynced));
}

#[test]
fn somebody_with_a_list_of_choice_is_judged_without_an_address() {
    let (directive, context) = directive();
    let resident = |first: &str, ndots| {
        let list = context.lists.intern(&[Name::parse(first).unwrap()]);
        Resident { pod: None, list, ndots }
    };
    let say = |resident: &Resident, name: &str, rtype| {
        directive.search_as(resident, Name::parse(name).unwrap().as_wire(), rtype)
    };
    let own = resident("x.svc.d.e", 5);
    assert_eq!(say(&own, "web.x.svc.d.e", A), Ok(own.list.id));
    assert_eq!(say(&own, "web.y.svc.d.e", A), Err(Plain::Name));
    assert_eq!(say(&own, "web.x.svc.d.e", RecordType::NS), Err(Plain::Type));
    assert_eq!(say(&resident("x.svc.d.e", 1), "a.b.x.svc.d.e", A), Err(Plain::Dots));
    assert_eq!(say(&resident("example", 5), "web.example", A), Err(Plain::Zone));
    assert_eq!(say(&Resident { list: context.lists.intern(&[]), ..own }, "web.x.svc.d.e", A), Err(Plain::Name));
}

#[tokio::test(start_paused = true)]
async fn operators_see_how_old_the_index_is() {
    let clock: Arc<FakeClock> = Arc::default();
    let context = context(&clock);
    let index = Arc::new(PodIndex::default());
    let directive = Arc::new(Autopath::new(vec![Name::root()], Arc::clone(&index), None, &context));
    let work = tokio::spawn(directive.run());
    let shows = async |line: &str| {
        tokio::time::sleep(Duration::from_secs(2)).await; // of paused time: the work has looked
        let text = context.metrics.text();
        assert!(text.contains(line), "{line} in\n{text}");
    };
    clock.advance(Duration::from_secs(7));
    shows("nearpath_autopath_index_age_seconds{server=\"dns://d.e.:53\"} 7\n").await;
    index.replace(&[pod(&context, "shop/web", &[POD, "fd00::1"], "shop.svc.d.e", 5)]);
    index.heard(clock.now());
    clock.advance(Duration::from_secs(3));
    shows("nearpath_autopath_index_age_seconds{server=\"dns://d.e.:53\"} 3\n").await;
    shows("nearpath_autopath_addresses{server=\"dns://d.e.:53\"} 2\n").await;
    work.abort();
}
