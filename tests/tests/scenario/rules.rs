//! Directives that stand ahead of memory, or change what is answered, together with memory, AutoPath and acl.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use nearpath_tests::{Behaviour, Daemon, Reply, Udp, Upstream, ask};

/// Two pods with one list, and one of another namespace.
const PODS: &str = "shop/web 127.3.0.1 search shop.svc.cluster.local svc.cluster.local cluster.local\n\
                    shop/cart 127.3.0.2 search shop.svc.cluster.local svc.cluster.local cluster.local\n\
                    default/one 127.3.0.3 search default.svc.cluster.local svc.cluster.local cluster.local\n";

const TABLE: &[&str] = &[
    "www.example.com. 60 A 192.0.2.1",
    "new.example.com. 60 A 192.0.2.2",
    "blocked.example.com. 60 A 192.0.2.3",
    "a.shop.svc.cluster.local. 60 A 192.0.2.21",
    "b.shop.svc.cluster.local. 60 A 192.0.2.22",
    "many.example.com. 60 A 192.0.2.11",
    "many.example.com. 60 A 192.0.2.12",
    "many.example.com. 60 A 192.0.2.13",
    "many.example.com. 60 A 192.0.2.14",
];

struct Node {
    upstream: Upstream,
    daemon: Daemon,
}

/// A cluster's block with AutoPath, and the block of all other names with these lines in it.
#[track_caller]
fn node(lines: &str) -> Node {
    node_of(&format!(".:PORT {{\n bind IP\n cache\n {lines}\n forward . UPSTREAM\n}}\n"))
}

/// The same with these blocks for all other names.
#[track_caller]
fn node_of(blocks: &str) -> Node {
    node_with("", blocks)
}

/// The same with these lines in the cluster's block.
#[track_caller]
fn node_with(lines: &str, blocks: &str) -> Node {
    let upstream = Upstream::with(TABLE);
    let cluster = format!(
        "cluster.local:PORT {{\n bind IP\n cache\n {lines}\n autopath {{\n  pods FOLDER/pods\n }}\n forward . UPSTREAM\n}}\n"
    );
    let words = [("UPSTREAM", upstream.address())];
    let daemon = Daemon::with(&format!("{cluster}{blocks}"), &words, &[("pods", PODS)], &[]);
    Node { upstream, daemon }
}

impl Node {
    fn pod(&self, last: u8) -> Udp {
        self.daemon.client_at(IpAddr::from([127, 3, 0, last]))
    }

    /// What a pod of the namespace `shop` is told in the first step of its search.
    fn search(&self, last: u8, name: &str) -> Reply {
        self.pod(last).asks(&ask(&format!("{name}.shop.svc.cluster.local"), "A"))
    }

    /// How often the upstream was asked for a name.
    fn asked_for(&self, name: &str) -> usize {
        self.upstream.asked_for(name)
    }
}

fn chain(name: &str, address: &str) -> [String; 2] {
    [format!("{name}.shop.svc.cluster.local. CNAME {name}."), format!("{name}. A {address}")]
}

fn is_chain(reply: &Reply, name: &str, address: &str) {
    let chain = chain(name, address);
    reply.is("NOERROR").answers_in_order(&[&chain[0], &chain[1]]);
}

#[test]
fn a_rewritten_question_shares_memory_with_the_one_that_it_becomes() {
    let node = node("rewrite name exact old.example.com new.example.com");
    for _ in 0..2 {
        node.daemon.asked(&ask("old.example.com", "A")).is("NOERROR").answers_are(&["old.example.com. A 192.0.2.2"]);
        node.daemon.asked(&ask("new.example.com", "A")).is("NOERROR").answers_are(&["new.example.com. A 192.0.2.2"]);
        node.daemon.connection().asks(&ask("OLD.example.com", "A")).is("NOERROR");
    }
    assert_eq!((node.asked_for("new.example.com."), node.asked_for("old.example.com.")), (1, 0));
}

#[test]
fn a_candidate_of_autopath_is_rewritten_as_if_the_pod_had_asked_it() {
    let node = node("rewrite name exact old.example.com new.example.com");
    for last in [1, 2, 1] {
        is_chain(&node.search(last, "old.example.com"), "old.example.com", "192.0.2.2");
    }
    assert_eq!(node.asked_for("new.example.com."), 1, "the walk is memorised for both pods");
}

#[test]
fn acl_judges_what_a_question_becomes() {
    let rules = "rewrite name exact open.example.com blocked.example.com\n acl blocked.example.com {\n  block\n }";
    let node = node(rules);
    for _ in 0..2 {
        node.daemon.asked(&ask("open.example.com", "A").edns(1232)).is("REFUSED").ede(&[18]);
        node.daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    }
    assert_eq!(node.asked_for("blocked.example.com."), 0);
}

#[test]
fn a_template_answers_candidates_too() {
    let node = node(
        "template IN A example.com {\n  match ^ip-(?P<last>[0-9]+)[.]\n  answer \"{{ .Name }} 60 IN A 192.0.2.{{ .Group.last }}\"\n  \
         fallthrough\n }",
    );
    for last in [1, 2] {
        is_chain(&node.search(last, "ip-77.example.com"), "ip-77.example.com", "192.0.2.77");
    }
    is_chain(&node.search(1, "www.example.com"), "www.example.com", "192.0.2.1");
    assert_eq!(node.asked_for("ip-77.example.com."), 0);
}

#[test]
fn a_view_by_client_is_kept_apart_in_memory_and_in_walks() {
    let block = |view: &str, address: &str| {
        format!(
            ".:PORT {{\n bind IP\n cache\n {view}\n hosts {{\n  {address} split.example.com\n  fallthrough\n }}\n forward . UPSTREAM\n}}\n"
        )
    };
    let first = block("view web {\n  expr incidr(client_ip(), '127.3.0.1/32')\n }", "192.0.2.101");
    let node = node_of(&(first + &block("", "192.0.2.102")));
    for _ in 0..2 {
        for (last, address) in [(1, "192.0.2.101"), (2, "192.0.2.102")] {
            let line = format!("split.example.com. A {address}");
            node.pod(last).asks(&ask("split.example.com", "A")).is("NOERROR").answers_are(&[&line]);
            // one list, so one memory for walks, were there no view
            is_chain(&node.search(last, "split.example.com"), "split.example.com", address);
        }
    }
}

#[test]
fn a_view_by_type_leaves_walks_to_everybody() {
    let block = |view: &str| format!(".:PORT {{\n bind IP\n cache\n {view}\n forward . UPSTREAM\n}}\n");
    let node = node_of(&(block("view addresses {\n  expr type() in ['A', 'AAAA']\n }") + &block("")));
    for last in [1, 2, 1] {
        is_chain(&node.search(last, "www.example.com"), "www.example.com", "192.0.2.1");
    }
    assert_eq!(node.asked_for("www.example.com."), 1);
    let told = node.search(2, "www.example.com");
    assert!(told.always().answers().len() == 2, "from memory");
}

#[test]
fn records_of_hits_come_in_every_order_over_both_transports() {
    let node = node("loadbalance");
    let orders = |asked: &mut dyn FnMut() -> Reply| {
        let replies = (0..60).map(|_| asked());
        let first = replies.map(|reply| {
            reply.is("NOERROR");
            assert_eq!(reply.answers().len(), 4);
            reply.answers()[0].to_owned()
        });
        first.collect::<BTreeSet<String>>()
    };
    let client = node.daemon.client();
    let over_udp = orders(&mut || client.asks(&ask("many.example.com", "A")));
    let mut connection = node.daemon.connection();
    let over_tcp = orders(&mut || connection.asks(&ask("many.example.com", "A")));
    assert_eq!((over_udp.len(), over_tcp.len()), (4, 4), "each comes first now and then");
    assert_eq!(node.asked_for("many.example.com."), 1, "all but one from memory");
}

#[test]
fn a_pattern_that_others_would_explode_on_is_tried_in_linear_time() {
    let node = node(
        "template IN A example.com {\n  match \"^(([a-z])+.)+[A-Z]([a-z])+$\"\n  answer \"{{ .Name }} 60 IN A 192.0.2.9\"\n  fallthrough\n }",
    );
    let label = "a".repeat(60);
    for index in 0..200 {
        let name = format!("{label}.{label}.{label}.{index}.example.com");
        node.daemon.asked(&ask(&name, "A")).is("NXDOMAIN");
    }
}

#[test]
fn acl_behind_a_view_holds_for_memorised_walks() {
    let addresses = ".:PORT {\n bind IP\n cache\n view six {\n  expr type() == 'AAAA'\n }\n forward . UPSTREAM\n}\n";
    let others = ".:PORT {\n bind IP\n cache\n acl {\n  block net 127.3.0.2/32\n }\n forward . UPSTREAM\n}\n";
    let node = node_of(&format!("{addresses}{others}"));
    for _ in 0..2 {
        is_chain(&node.search(1, "www.example.com"), "www.example.com", "192.0.2.1");
        node.search(2, "www.example.com").is("SERVFAIL");
        node.pod(2).asks(&ask("www.example.com", "A")).is("REFUSED");
    }
}

#[test]
fn flags_that_are_forced_stay_through_memory_and_walks() {
    const RA: u16 = 0x80;
    let node = node("header {\n  response clear ra\n }");
    for _ in 0..2 {
        for reply in [node.pod(1).asks(&ask("www.example.com", "A")), node.search(1, "www.example.com")] {
            assert_eq!((reply.rcode, reply.flags & RA), (0, 0), "{reply:?}");
        }
    }
    assert_eq!(node.asked_for("www.example.com."), 1);
}

#[test]
fn a_stale_answer_comes_before_a_query_is_given_up() {
    let node = node("cancel 1s");
    node.upstream.knows(&["old.example.com. 1 A 192.0.2.9"]);
    node.daemon.asked(&ask("old.example.com", "A")).is("NOERROR");
    std::thread::sleep(Duration::from_millis(5_500)); // the shortest that answers are memorised
    node.upstream.behaves(Behaviour::Hang);
    let reply = node.daemon.asked(&ask("old.example.com", "A").edns(1232));
    reply.is("NOERROR").ede(&[3]).answers_are(&["old.example.com. A 192.0.2.9"]);
}

#[test]
fn a_search_is_rewritten_once_candidate_by_candidate() {
    let swap = "rewrite name exact a.shop.svc.cluster.local b.shop.svc.cluster.local\n \
                rewrite name exact b.shop.svc.cluster.local a.shop.svc.cluster.local\n \
                rewrite name exact gone.shop.svc.cluster.local nowhere.shop.svc.cluster.local";
    let node = node_with(swap, ".:PORT {\n bind IP\n cache\n hosts {\n  192.0.2.23 gone\n }\n forward . UPSTREAM\n}\n");
    for client in [node.pod(1), node.daemon.client(), node.pod(2)] {
        client.asks(&ask("a.shop.svc.cluster.local", "A")).answers_are(&["a.shop.svc.cluster.local. A 192.0.2.22"]);
        client.asks(&ask("b.shop.svc.cluster.local", "A")).answers_are(&["b.shop.svc.cluster.local. A 192.0.2.21"]);
    }
    // the search goes on with the name that was typed
    is_chain(&node.search(1, "gone"), "gone", "192.0.2.23");
}

#[test]
fn acl_holds_for_what_a_memorised_walk_was_rewritten_to() {
    let rules = "rewrite name exact open.example.com blocked.example.com\n acl blocked.example.com {\n  block net 127.3.0.2/32\n }";
    let node = node(rules);
    for _ in 0..2 {
        is_chain(&node.search(1, "open.example.com"), "open.example.com", "192.0.2.3");
        node.search(2, "open.example.com").is("SERVFAIL");
        node.pod(2).asks(&ask("open.example.com", "A")).is("REFUSED");
    }
}

#[test]
fn what_the_daemon_says_of_itself_no_rule_changes() {
    let node = node("chaos v1 me\n rewrite cname exact a.example.com. b.example.com.\n rewrite ttl regex (.*) 5");
    node.daemon.asked(&ask("version.bind", "TXT").class(3)).is("NOERROR").answers_are(&["version.bind. TXT v1"]);
    let told = node.daemon.asked(&ask("whoami.nearpath", "TXT").class(3));
    assert!(told.rcode == 0 && !told.answers().is_empty(), "{told:?}");
    assert_eq!(node.upstream.seen().len(), 0, "nobody else was asked");
}
