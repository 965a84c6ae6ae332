//! How long after its kubelet's word a pod is expanded, beside how long that word takes to a bare watcher.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearpath_tests::mode::note;
use nearpath_tests::objects::{Pod, PodStatus};
use nearpath_tests::{Udp, controlplane, place};

use super::{marks, soon};

/// Words of kubelets.
const WORDS: usize = 200;
/// Far above what it takes; a gate against a word that is only found by a later list.
const LATE: Duration = Duration::from_secs(5);
/// Between two questions.
const PAUSE: Duration = Duration::from_micros(300);

#[test]
fn a_pod_is_expanded_right_after_its_kubelet_has_spoken() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    let namespaces = ["latency-one", "latency-two", "latency-three", "latency-four"];
    namespaces.iter().for_each(|namespace| api.namespace(namespace));
    let centre = marks::centre();
    let daemon = marks::daemon(&plane.kubeconfig(&plane.admin_token()), "latency-node", &centre);
    soon("the daemon is in step", || marks::figure(&daemon, "nearpath_kubernetes_synced", &[]) > 0.0);
    let watch = api.watch("/api/v1/pods?fieldSelector=spec.nodeName=latency-node", None).expect("a watch");

    let (mut bare, mut expanded, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..WORDS {
        // every second word is of a new pod, the others tell of a new address of the same one
        let (namespace, name) = (namespaces[number / 2 % namespaces.len()], format!("pod-{}", number / 2));
        if number % 2 == 0 {
            api.create_pod(&Pod::new(namespace, &name).on("latency-node"));
        }
        let address = place::pod_address();
        let client = daemon.client_at(address);
        assert!(!marks::is_expanded(&client, namespace), "nobody knows {address} yet");
        let asking = AtomicBool::new(false);
        let (spoken, first) = std::thread::scope(|scope| {
            let answered = scope.spawn(|| first_expanded(&client, namespace, &asking));
            while !asking.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            let spoken = Instant::now();
            api.set_pod_status(namespace, &name, &PodStatus::running(&[&address.to_string()]));
            (spoken, answered.join().expect("it is answered"))
        });
        let heard = watch.until("its status", |event| {
            event.name() == name && event.object["status"]["podIP"] == address.to_string().as_str()
        });
        bare.push(heard.arrived - spoken);
        expanded.push(first - spoken);
        more.push((first - spoken).saturating_sub(heard.arrived - spoken));
    }
    let worst = figures("to the first expanded answer", expanded);
    figures("to a bare watcher", bare);
    figures("what the first answer takes more", more);
    assert!(worst < LATE, "a pod was not expanded before {worst:?}");
}

/// Asks until the answer is an expanded one; when that came.
fn first_expanded(client: &Udp, namespace: &str, asking: &AtomicBool) -> Instant {
    let deadline = Instant::now() + 4 * LATE;
    loop {
        let expanded = marks::is_expanded(client, namespace);
        let now = Instant::now();
        if expanded || now > deadline {
            return now;
        }
        asking.store(true, Ordering::SeqCst);
        std::thread::sleep(PAUSE);
    }
}

/// Notes median and worst; gives the worst.
fn figures(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let worst = times[times.len() - 1];
    note(&format!(
        "of {} words {what}: median {:.1} ms, worst {:.1} ms",
        times.len(),
        ms(times[times.len() / 2]),
        ms(worst)
    ));
    worst
}
