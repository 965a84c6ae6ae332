//! A daemon with one of everything that is counted, and a load and faults that move it.
//!
//! ```text
//!   pod, clients --> cluster.local    autopath, endpoints of a Service      scripted API server
//!                    corp.example     private zone                          a server of a rate
//!                    lists.           autopath by a file
//!                    fleeting.        an upstream that dies: stale answers
//!                    down.            nobody at all
//!                    slow., hang.     max_concurrent, bounds
//!                    small.           a store that is too small
//!                    guarded.         acl
//!                    rules.           dns64, template, weights, shed
//!                    filed.           a zone file
//!                    .                hosts, local, the outside
//! ```

use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::objects::{Pod, PodStatus};
use nearpath_tests::{ApiServer, Behaviour, Daemon, Upstream, ask, http, metrics, place};
use serde_json::json;

use crate::scenario::TABLE;

const COREFILE: &str = "\
cluster.local:PORT {
    bind IP
    errors
    autopath @kubernetes
    cache
    forward . @kube-system/kube-dns STANDIN
    prometheus IP:9253
}
corp.example:PORT {
    bind IP
    errors
    cache
    privatezone corp.example {
        to ZONE
        max_qps 1000
        watch {
            services
            endpoints off
        }
    }
    prometheus IP:9253
}
lists.example:PORT {
    bind IP
    autopath {
        pods FOLDER/pods
    }
    cache
    forward . OUTSIDE
    prometheus IP:9253
}
fleeting.example:PORT {
    bind IP
    cache
    forward . FLEETING
    prometheus IP:9253
}
down.example:PORT {
    bind IP
    cache
    forward . NOBODY
    prometheus IP:9253
}
slow.example:PORT {
    bind IP
    forward . SLOW {
        max_concurrent 1
    }
    prometheus IP:9253
}
hang.example:PORT {
    bind IP
    forward . HANG
    prometheus IP:9253
}
small.example:PORT {
    bind IP
    cache {
        success 1024
    }
    forward . OUTSIDE
    prometheus IP:9253
}
guarded.example:PORT {
    bind IP
    acl {
        block net 127.0.0.0/8
    }
    whoami
    prometheus IP:9253
}
rules.example:PORT {
    bind IP
    shed
    dns64 {
        allow_ipv4
        translate_all
    }
    loadbalance weighted FOLDER/weights
    template IN AAAA rules.example {
        rcode NOERROR
    }
    template IN A rules.example {
        match ^right[.]
        answer \"{{ .Name }} 60 IN A 192.0.2.1\"
        fallthrough
    }
    template IN A rules.example {
        match ^wrong[.]
        answer \"{{ .Name }} 60 IN A {{ .Question.Name }}\"
        fallthrough
    }
    template IN A rules.example {
        match ^broken-(.*)[.]rules
        answer \"{{ .Name }} 60 IN A {{ parseInt (index .Match 1) 10 8 }}\"
    }
    prometheus IP:9253
}
filed.example:PORT {
    bind IP
    file FOLDER/zone
    prometheus IP:9253
}
.:PORT {
    bind IP
    errors
    log . {
        class error
    }
    dnstap FOLDER/nobody.sock
    trace otlp 127.0.0.1:9/v1/traces {
        every 100
    }
    health IP:8080
    ready IP:8181
    reload 30s
    loop
    local
    hosts FOLDER/hosts {
        fallthrough
    }
    cache 3600 {
        prefetch 1 1m 90%
    }
    forward . OUTSIDE {
        force_tcp
    }
    prometheus IP:9253
}
";

/// Beside what all scenarios know.
const MORE: &[&str] = &[
    "*.small.example. 300 A 192.0.2.9",
    "*.slow.example. 300 A 192.0.2.9",
    "a.fleeting.example. 1 A 192.0.2.9",
    "corp.example. 300 SOA ns.corp.example. admin.corp.example. 1 7200 900 1209600 60",
    "db.corp.example. 300 A 10.20.0.1",
    "out.corp.example. 300 CNAME www.example.com.",
];

/// A zone file.
const ZONE: &str = "$ORIGIN filed.example.\n@ 60 IN SOA ns.filed.example. admin.filed.example. 7 7200 900 1209600 60\n\
                    @ 60 IN NS ns\nwww 60 IN A 192.0.2.1\n";
/// Search lists of a file.
const PODS: &str = "shop/web 127.3.7.3 search shop.lists.example lists.example\n";
const NODE: &str = "node-1";
/// The pod with AutoPath.
const POD: [u8; 4] = [127, 3, 7, 1];
/// Who asks too much.
const GREEDY: [u8; 4] = [127, 3, 7, 2];
const SEARCHED: &str = "www.example.com.shop.svc.cluster.local";
/// How long the daemon may take to be in step. Generous: the machine may be busy.
const IN_STEP_WITHIN: Duration = Duration::from_secs(30);
/// The smallest store of a block, answers.
const SMALL: usize = 1_024;
/// More than one client may have outstanding.
const TOO_MANY: usize = contract::limits::MISSES_PER_CLIENT_MAX + 200;

/// The daemon and those around it.
pub(super) struct Scene {
    pub(super) daemon: Daemon,
    fleeting: Upstream,
    _others: Vec<Upstream>,
    _server: ApiServer,
}

impl Scene {
    /// At work, in step, and asked nothing yet.
    #[track_caller]
    pub(super) fn new() -> Self {
        let records = [TABLE, MORE].concat();
        let [centre, standin, outside, zone, slow, hang, fleeting] = [(); 7].map(|()| Upstream::with(&records));
        slow.behaves(Behaviour::Slow(Duration::from_millis(700)));
        hang.behaves(Behaviour::Hang);
        let server = cluster(&centre, &standin);
        let (at, nobody) = (place::socket(), place::socket());
        let words = [
            ("STANDIN", standin.address()),
            ("OUTSIDE", outside.address()),
            ("ZONE", zone.address()),
            ("SLOW", slow.address()),
            ("HANG", hang.address()),
            ("FLEETING", fleeting.address()),
            ("NOBODY", nobody.to_string()),
        ];
        let (local, metrics) = (at.ip().to_string(), format!("{}:9353", at.ip()));
        let mut flags = server.flags(NODE);
        // a node of which nothing is set up
        let node = ["-localip", &local, "-setupinterface=false", "-setupiptables=false"];
        flags.extend(
            node.into_iter().chain(["-metrics-listen-address", &metrics, "-status-listen-address="]).map(str::to_owned),
        );
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let files = [
            ("resolv.conf", "nameserver 192.0.2.1\n"),
            ("hosts", "192.0.2.200 box.example.net\n"),
            ("pods", PODS),
            ("zone", ZONE),
            ("weights", "www.rules.example\n192.0.2.1 3\n"),
        ];
        let daemon = Daemon::at(at, COREFILE, &words, &files, &flags);
        let _others = vec![centre, standin, outside, zone, slow, hang];
        let scene = Self { daemon, fleeting, _others, _server: server };
        scene.is_in_step();
        scene
    }

    /// Where the metrics of the node are told.
    pub(super) fn target(&self) -> String {
        format!("{}:9353", self.daemon.address().ip())
    }

    /// The page of metrics that the directive `prometheus` tells, or that of the node.
    #[track_caller]
    pub(super) fn page(&self, port: u16) -> String {
        let (status, text) = http::fetch(&format!("{}:{port}", self.daemon.address().ip()), "/metrics");
        assert_eq!(status, 200, "{text}");
        text
    }

    #[track_caller]
    fn is_in_step(&self) {
        let begun = Instant::now();
        while self.pod_asks(SEARCHED, "A") != "NOERROR" {
            assert!(begun.elapsed() < IN_STEP_WITHIN, "the pod is not known within {IN_STEP_WITHIN:?}");
            sleep(Duration::from_millis(100));
        }
    }

    #[track_caller]
    fn pod_asks(&self, name: &str, rtype: &str) -> &'static str {
        let reply = self.daemon.client_at(IpAddr::from(POD)).asks(&ask(name, rtype));
        if reply.rcode == 0 { "NOERROR" } else { "another" }
    }

    /// Moves everything, faults included.
    #[track_caller]
    pub(super) fn runs(&mut self) {
        self.asks_ordinary();
        self.asks_at_bounds();
        let daemon = &self.daemon;
        // past its end, from an upstream that has gone
        daemon.asked(&ask("a.fleeting.example", "A")).is("NOERROR");
        self.fleeting.dies();
        sleep(Duration::from_millis(5_500)); // the shortest that answers are memorised
        self.daemon.asked(&ask("a.fleeting.example", "A").edns(1232)).is("NOERROR").ede(&[3]);
        assert!(self.daemon.reloads(&COREFILE.replace("reload 30s", "reload 40s")));
        assert!(!self.daemon.reloads(&COREFILE.replace("    whoami\n", "    whomai\n")));
        self.asks_ordinary();
        // last, for a reload begins anew with health: from now on it is checked again and again
        let begun = Instant::now();
        for number in 0.. {
            self.daemon.asked(&ask(&format!("n{number}.down.example"), "A")).is("SERVFAIL");
            let found_down = metrics::sum(&self.page(9253), "coredns_forward_healthcheck_broken_total", &[]) > 0.0;
            if number >= 7 && found_down {
                break;
            }
            assert!(begun.elapsed() < IN_STEP_WITHIN, "its checks do not say that it is down");
            sleep(Duration::from_millis(200));
        }
    }

    #[track_caller]
    fn asks_ordinary(&self) {
        let daemon = &self.daemon;
        for _ in 0..3 {
            daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
            daemon.connection().asks(&ask("www.example.com", "AAAA")).is("NOERROR");
            daemon.asked(&ask("nothing.example.com", "A")).is("NXDOMAIN");
            daemon.asked(&ask("text.example.com", "TXT").dnssec()).is("NOERROR");
            daemon.asked(&ask("box.example.net", "A")).is("NOERROR");
            daemon.asked(&ask("any.localhost", "A")).is("NOERROR");
            daemon.asked(&ask("db.corp.example", "A")).is("NOERROR");
            daemon.asked(&ask("out.corp.example", "A")).is("NOERROR");
            daemon.asked(&ask("right.rules.example", "AAAA")).is("NOERROR");
            daemon.asked(&ask("right.rules.example", "A")).is("NOERROR");
            daemon.asked(&ask("wrong.rules.example", "A")).is("SERVFAIL");
            daemon.asked(&ask("broken-x.rules.example", "A")).is("SERVFAIL");
            daemon.asked(&ask("www.filed.example", "A")).is("NOERROR");
            daemon.asked(&ask("a.guarded.example", "A")).is("REFUSED");
            daemon.asked(&ask("version.bind", "TXT").class(3)).is("NOERROR");
            self.pod_asks(SEARCHED, "A");
            self.pod_asks("nobody.example.com.shop.svc.cluster.local", "A");
            self.pod_asks(SEARCHED, "SOA"); // nobody searches for this type
        }
        for number in 0..SMALL + 200 {
            daemon.asked(&ask(&format!("n{number}.small.example"), "A")).is("NOERROR");
        }
        // asked for often, and near its end: it is refreshed ahead
        for _ in 0..60 {
            daemon.asked(&ask("short.example.com", "A")).is("NOERROR");
            sleep(Duration::from_millis(50));
        }
    }

    /// More at once than `max_concurrent` allows, and more outstanding than one client may have.
    #[track_caller]
    fn asks_at_bounds(&self) {
        let client = self.daemon.client();
        (0..5).for_each(|number| client.send(&ask(&format!("n{number}.slow.example"), "A").wire()));
        sleep(Duration::from_secs(1));
        let greedy = self.daemon.client_at(IpAddr::from(GREEDY)); // its bound is its own
        (0..TOO_MANY).for_each(|number| greedy.send(&ask(&format!("n{number}.hang.example"), "A").wire()));
        sleep(Duration::from_secs(1));
    }
}

/// A node with a pod, and a Service with an endpoint.
fn cluster(centre: &Upstream, standin: &Upstream) -> ApiServer {
    let socket = |upstream: &Upstream| upstream.address().parse::<SocketAddr>().expect("an address and a port");
    let server = ApiServer::new();
    let address = IpAddr::from(POD).to_string();
    server.pod(&Pod::new("shop", "web").on(NODE), &PodStatus::running(&[&address]));
    server.endpoints("kube-system", "kube-dns", &[socket(centre)]);
    let ports = json!([{ "name": "dns-tcp", "port": socket(standin).port(), "protocol": "TCP" }]);
    server.put(json!({
        "kind": "Service",
        "metadata": { "namespace": "kube-system", "name": "kube-dns" },
        "spec": { "clusterIP": socket(standin).ip(), "ports": ports },
    }));
    server
}
