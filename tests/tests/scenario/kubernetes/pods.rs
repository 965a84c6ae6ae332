//! Which pod an address belongs to, as the API server's words have it.

use std::time::Instant;

use super::{BEFORE, COMING, ENDING, IN_STEP_WITHIN, LEFT, Node, OTHER, WEB, pod, running};

impl Node {
    /// Waits until a pod at this address has the list of this namespace; the empty one: none.
    #[track_caller]
    fn becomes(&mut self, last: u8, namespace: &str) {
        let truth = BEFORE.map(|(known, before)| (known, if known == last { namespace } else { before }));
        self.is_in_step_by(Instant::now() + IN_STEP_WITHIN, &truth, 0);
    }
}

#[test]
fn an_address_is_a_pods_own_or_nobodys() {
    let mut node = Node::new(|_| {});
    let conflicts = |node: &Node| node.metric("nearpath_kubernetes_address_conflicts", &[]);
    assert_eq!((node.metric("nearpath_kubernetes_pods", &[]), conflicts(&node)), (4.0, 0.0));

    // a pod in the node's own network has none, and takes none from another
    node.server.pod(&pod("shop", "agent").host_network(), &running(COMING));
    node.server.pod(&pod("shop", "proxy").host_network(), &running(WEB));

    // terminated, it gives its address up at once, though its object stays
    for phase in ["Succeeded", "Failed"] {
        node.server.pod(&pod("shop", "ending"), &running(ENDING).phase(phase));
        node.becomes(ENDING, "");
        node.server.pod(&pod("shop", "ending"), &running(ENDING));
        node.becomes(ENDING, "shop");
    }
    assert!(!node.is_expanded(COMING, "shop") && node.is_expanded(WEB, "shop"));

    // init containers ask while it is pending
    node.server.pod(&pod("shop", "coming"), &running(COMING).phase("Pending"));
    node.becomes(COMING, "shop");
    node.server.deletes("Pod", "shop", "coming");
    node.becomes(COMING, "");

    // two live ones: neither
    node.server.pod(&pod("default", "heir"), &running(LEFT));
    node.becomes(LEFT, "");
    assert_eq!(conflicts(&node), 1.0);
    node.server.pod(&pod("shop", "left"), &running(LEFT).phase("Succeeded"));
    node.becomes(LEFT, "default");
    assert_eq!(conflicts(&node), 0.0);

    // another pod of the same name
    node.server.deletes("Pod", "default", "heir");
    node.server.deletes("Pod", "shop", "left");
    node.server.pod(&pod("shop", "left"), &running(LEFT));
    node.becomes(LEFT, "shop");

    // one pod's list is its own
    assert!(node.is_expanded(OTHER, "default") && !node.is_expanded(OTHER, "shop"));
    node.daemon.is_well();
}
