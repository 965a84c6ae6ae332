//! The API server, or its store, is killed in the midst of questions and of pods that come and go: no question fails, and
//! afterwards the index equals the truth.

mod load;
mod town;

use std::time::{Duration, Instant};

use nearpath_tests::mode::{self, note};
use nearpath_tests::{Api, ControlPlane, controlplane};

use self::load::Load;
use self::town::Town;
use super::{marks, within};

/// To reach: 10 s. Between lies the random wait that keeps the nodes of a cluster from asking all at once.
const EQUAL_WITHIN: Duration = Duration::from_secs(20);
/// What an outage may cost a server in lists of this node.
const LISTS_MAX: f64 = 3.0;

#[test]
fn an_outage_costs_no_question_and_afterwards_the_index_is_true() {
    if !controlplane::is_possible() {
        return;
    }
    let mut plane = ControlPlane::start();
    let mut town = Town::new(&plane);
    let equal = within(EQUAL_WITHIN, "the index is true", || town.is_true());
    note(&format!("30 pods in 3 namespaces: the index is true {:.1} s after the last of them", equal.as_secs_f64()));
    let load = Load::begins(&town);
    town.churns(120);
    within(EQUAL_WITHIN, "the index is true after a while of churn", || town.is_true());

    the_api_server_is_killed(&mut plane, &mut town);
    its_store_is_killed(&mut plane, &mut town);
    its_account_is_another(&mut plane, &mut town);
    town.daemon.is_well();
    load.ends();
    let errors: Vec<_> = town.daemon.log_since(0).into_iter().filter(|line| line.contains("[ERROR]")).collect();
    assert!(errors.is_empty(), "an outage is no error of the daemon: {errors:#?}");
}

fn outage() -> Duration {
    mode::of(Duration::from_secs(8), Duration::from_secs(120))
}

fn the_api_server_is_killed(plane: &mut ControlPlane, town: &mut Town) {
    let before = town.lists();
    town.churns(60);
    plane.kill_api_server();
    let until = Instant::now() + outage();
    while Instant::now() < until {
        assert!(town.churns(1) == 0, "nobody is there");
        std::thread::sleep(Duration::from_millis(100));
    }
    plane.start_api_server();
    let back = Instant::now();
    assert!(town.churns(30) > 0, "it goes on");
    is_true_again("the API server was killed", back, town, before);
    note(&format!("  of pods it was asked for: {}", marks::since(&Default::default(), &marks::asked_for_pods(plane))));
}

fn its_store_is_killed(plane: &mut ControlPlane, town: &mut Town) {
    let (before, asked) = (town.lists(), marks::asked_for_pods(plane));
    town.churns(60);
    plane.kill_etcd();
    let until = Instant::now() + outage();
    while Instant::now() < until {
        assert!(town.churns(1) == 0, "nothing can be kept");
    }
    plane.start_etcd();
    let back = Instant::now();
    assert!(town.churns(30) > 0, "it goes on");
    is_true_again("etcd was killed", back, town, before);
    note(&format!("  of pods it was asked for: {}", marks::since(&asked, &marks::asked_for_pods(plane))));
}

/// The account is deleted and made again, so that its token is worth nothing; the file gets the new one later.
fn its_account_is_another(plane: &mut ControlPlane, town: &mut Town) {
    let (api, before) = (plane.api(), town.lists());
    let old = api.with_token(&town.token());
    api.delete("/api/v1/namespaces/kube-system/serviceaccounts/nearpath").expect("it is there");
    api.service_account("kube-system", "nearpath");
    // what is under way goes on; whoever opens a watch needs a token
    plane.kill_api_server();
    plane.start_api_server();
    within(EQUAL_WITHIN, "the old token is worth nothing", || is_unknown(&old));
    let denied = || marks::figure(&town.daemon, FAILURES, &[("kind", "pods"), ("reason", "denied")]);
    let times = mode::of(3.0, 7.0);
    within(Duration::from_secs(300), "the daemon is refused", || denied() >= times);
    town.churns(30);
    assert!(!town.is_true(), "nobody told of that");
    assert!(town.steady_are_expanded(), "what is known goes on being used");
    town.renew_token(&api);
    is_true_again(&format!("it was refused {times} times and had a new token"), Instant::now(), town, before);
}

const FAILURES: &str = "nearpath_kubernetes_watch_failures_total";

fn is_unknown(api: &Api) -> bool {
    api.get("/api/v1/pods?limit=1").is_err_and(|refusal| refusal.code() == Some(401))
}

fn is_true_again(after: &str, back: Instant, town: &Town, lists: f64) {
    within(EQUAL_WITHIN, &format!("the index is true after {after}"), || town.is_true());
    let (took, lists) = (back.elapsed().as_secs_f64(), town.lists() - lists);
    note(&format!("after {after} and all was well again: the index is true {took:.1} s later, with {lists} lists"));
    assert!(lists <= LISTS_MAX, "{lists} lists");
}
