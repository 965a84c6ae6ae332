//! Which block a question enters.

use contract::testing;
use contract::wire::{Class, Name, RecordType};
use contract::{Client, Looked, Query};

use crate::daemon;
use crate::serve::entrance::Entrance;

/// Blocks without their sockets. The runtime that they live on is to be kept.
fn blocks(text: &str) -> (tokio::runtime::Runtime, Entrance) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let entrance = {
        let _inside = runtime.enter();
        daemon::without_sockets(text, &daemon::Options::default(), runtime.handle()).unwrap()
    };
    (runtime, entrance)
}

/// The zones and the view of the block that a question enters by each of the ways in; `-` if there is none.
fn entered(entrance: &Entrance, client: &Client, name: &str, rtype: RecordType) -> String {
    let query = Query { client: *client, ..testing::query(name, rtype) };
    let name = Name::parse(name).unwrap();
    let header = (0, 0);
    let looked = Looked { client, name: name.as_wire(), rtype, class: Class::IN, edns: None, header, size: 40 };
    let zones = &entrance.0;
    let ways = [
        zones.find(name.as_wire(), rtype, || looked), // the way of a hit
        zones.find_as(client, name.as_wire(), rtype), // of what explains
        zones.find_for(&query),                       // of a miss
    ];
    let labels = ways.map(|block| {
        block.map_or_else(
            || "-".to_owned(),
            |block| if block.view.is_some() { "view " } else { "" }.to_owned() + &block.label(),
        )
    });
    assert!(labels.iter().all(|label| *label == labels[0]), "{name} {rtype}: the ways differ: {labels:?}");
    labels[0].clone()
}

#[test]
fn ds_enters_the_block_of_the_shortest_zone_below_the_root_and_all_else_that_of_the_longest() {
    let (_runtime, entrance) = blocks(
        ". {\n whoami\n}\nexample.org {\n whoami\n}\nsub.example.org {\n whoami\n}\nx.sub.example.org {\n whoami\n}\n\
         example.net {\n whoami\n}\n",
    );
    let client = testing::client("192.0.2.1");
    for (name, ds, other) in [
        ("sub.example.org", "example.org", "sub.example.org"),
        ("a.b.x.sub.example.org", "example.org", "x.sub.example.org"),
        ("example.org", "example.org", "example.org"),
        ("sub.example.net", "example.net", "example.net"),
        ("org", ".", "."),
        ("badexample.org", ".", "."),
        (".", ".", "."),
    ] {
        assert_eq!(entered(&entrance, &client, name, RecordType::DS), ds, "{name} DS");
        for rtype in [RecordType::A, RecordType::NS, RecordType::DNSKEY] {
            assert_eq!(entered(&entrance, &client, name, rtype), other, "{name} {rtype}");
        }
    }
}

#[test]
fn without_a_block_of_the_root_ds_enters_what_there_is() {
    let (_runtime, entrance) = blocks("example.org sub.example.net {\n whoami\n}\nexample.net {\n whoami\n}\n");
    let client = testing::client("192.0.2.1");
    for (name, ds) in
        [("a.example.org", "sub.example.net example.org"), ("sub.example.net", "example.net"), ("org", "-")]
    {
        assert_eq!(entered(&entrance, &client, name, RecordType::DS), ds, "{name}");
    }
}

#[test]
fn views_and_blocks_with_nothing_to_answer_with_count_for_ds_as_with_coredns() {
    let view = "view near {\n expr incidr(client_ip(), '192.0.2.0/24')\n }\n whoami";
    let (_runtime, entrance) = blocks(&format!(
        ". {{\n {view}\n}}\n. {{\n whoami\n}}\n\
         example.org {{\n {view}\n}}\nsub.example.org {{\n whoami\n}}\n\
         example.net {{\n {view}\n}}\nexample.net {{\n whoami\n}}\n\
         example.com {{\n whoami\n}}\nshut.example.com {{\n debug\n}}\n"
    ));
    for (name, near, far) in [
        // a view that is not for the question is no parent
        ("sub.example.org", "view example.org", "sub.example.org"),
        // of the views of one zone the last, but of those of the root the first
        ("sub.example.net", "example.net", "example.net"),
        ("org", "view .", "."),
        (".", ".", "."),
        ("a.example.org", "view example.org", "."),
        // what is shut stays shut
        ("shut.example.com", "shut.example.com", "shut.example.com"),
        ("a.shut.example.com", "shut.example.com", "shut.example.com"),
        ("other.example.com", "example.com", "example.com"),
    ] {
        for (client, expected) in [("192.0.2.1", near), ("198.51.100.1", far)] {
            let client = testing::client(client);
            assert_eq!(entered(&entrance, &client, name, RecordType::DS), expected, "{name} by {client:?}");
        }
    }
}
