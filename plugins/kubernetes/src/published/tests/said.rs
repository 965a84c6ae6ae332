//! What is said, and how often: a person who reads the log learns what to do, once.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{self, DefaultGuard};
use tracing::{Event, Level, Metadata, Subscriber};

use contract::Kind;

use super::super::{DnsEndpoint, Service};
use super::watched::{Scene, absent, denied, object, stream};
use crate::reflector::script::{Reply, Script};

/// Hears what this thread says at `warn` and above.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").unwrap();
        }
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn listen() -> (Ear, DefaultGuard) {
    let ear = Ear::default();
    (ear.clone(), subscriber::set_default(ear))
}

impl Ear {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_installed_is_said_once_with_what_helps() {
    let (ear, _guard) = listen();
    let scene = Scene::new((0..20).map(|_| absent()));
    scene.after(900).await;
    let [line] = &ear.heard()[..] else { panic!("one line") };
    for part in ["dnsendpoints of all namespaces", "404", "CRD", "`endpoints off`", "all else goes on"] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_named_once() {
    let (ear, _guard) = listen();
    let mut scene = Scene::of(&[Kind::Service], Some("shop"), Script::new((0..20).map(|_| denied())));
    scene.follow::<Service>(Arc::clone(&scene.script));
    scene.after(900).await;
    let [line] = &ear.heard()[..] else { panic!("one line") };
    assert!(line.contains("the right to list and watch services in namespace shop is missing"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_said_once() {
    let (ear, _guard) = listen();
    let odd = |name| object(name, &["a..z", "b.z"]);
    let mut scene =
        Scene::of(&[Kind::DnsEndpoint], None, Script::new([stream(&[odd("one"), odd("two")], []), Reply::Silent]));
    scene.follow::<DnsEndpoint>(Arc::clone(&scene.script));
    scene.after(30).await;
    let [line] = &ear.heard()[..] else { panic!("one line") };
    assert!(line.contains("DNSEndpoint shop/one") && line.contains("1 names or endpoints that are none"), "{line}");
}
