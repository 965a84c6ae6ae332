//! What happens when a zone's file changes, or the Corefile does.

use super::*;

#[tokio::test(start_paused = true)]
async fn another_serial_replaces_the_zone() {
    let text = |serial: u32, octet: u8| format!("@ 5 SOA a b {serial} 1 1 1 1\nwww A 192.0.2.{octet}\n");
    let db = Db::new("reload", &text(1, 1));
    let context = context();
    let plugin = built(checked(&format!("file {} example.org {{\n reload 10s\n}}", db.0.display())), &context);
    let world = Arc::new(World::default());
    plugin.attach(Arc::clone(&world) as Arc<dyn Blocks>);
    let work = tokio::spawn(Arc::clone(&plugin).run());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let series =
        format!("nearpath_file_reload_failures_total{{zone=\"example.org.\",zonefile=\"{}\"}}", db.0.display());
    for (text, told_then, forgets, failures) in [
        (text(1, 2), ".1", 0, 0),                 // the same serial
        (text(2, 3), ".3", 2, 0),                 // another one
        ("@ 5 SOA a b\n".to_owned(), ".3", 0, 1), // wrong
        (text(1, 4), ".4", 2, 0),                 // an older one is another one too
    ] {
        let before = context.metrics.text();
        let count = |text: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(&series)).unwrap().rsplit(' ').next().unwrap();
            line.parse().unwrap()
        };
        world.forgotten.lock().unwrap().clear();
        db.write(&text);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let reply = asked_of(&plugin, "www.example.org", RecordType::A, false).await.unwrap();
        assert_eq!(told(&reply), format!("NOERROR aa: www A {told_then} |  | "));
        assert_eq!(
            world.forgotten.lock().unwrap().len(),
            2 * forgets,
            "the zone and all below, then and a moment later"
        );
        assert!((count(&context.metrics.text()) - count(&before) > 0) == (failures > 0));
    }
    assert!(world.forgotten.lock().unwrap().contains(&"*.example.org.".to_owned()));
    work.abort();
}

/// A plugin that has run for so long, and how many names were to be forgotten meanwhile.
async fn started(statement: &str, context: &contract::Context, ran: Duration) -> (Arc<dyn Plugin>, usize) {
    let plugin = built(checked(statement), context);
    let world = Arc::new(World::default());
    plugin.attach(Arc::clone(&world) as Arc<dyn Blocks>);
    let work = tokio::spawn(Arc::clone(&plugin).run());
    tokio::time::sleep(ran).await;
    work.abort();
    let _ = work.await; // only then it has let go of the plugin
    let forgotten = world.forgotten.lock().unwrap().len();
    (plugin, forgotten)
}

#[tokio::test(start_paused = true)]
async fn memory_forgets_what_an_earlier_corefile_said() {
    let text = |octet: u8| format!("@ 5 SOA a b 1 1 1 1 1\nwww A 192.0.2.{octet}\n");
    let (whole, cut_off) = (Duration::from_secs(5), Duration::from_millis(500));
    let db = Db::new("corefiles", &text(1));
    let context = context();
    let once = format!("file {} example.org {{\n reload 0\n}}", db.0.display());
    let again = format!("file {} example.org {{\n reload 1m\n}}", db.0.display());
    let mut earlier = None;
    for (octet, statement, ran, forgotten, why) in [
        (1, &once, whole, 4, "memory may be an earlier process's"),
        (1, &again, whole, 0, "the same was said before"),
        (2, &once, whole, 4, "another zone, although of the same serial"),
        (2, &once, whole, 0, "the same was said before"),
        (3, &again, cut_off, 2, "another zone"),
        (3, &again, whole, 4, "what was stored late is still to be forgotten"),
        (3, &again, whole, 0, "the same was said before"),
    ] {
        db.write(&text(octet));
        // the earlier one goes when the new one runs
        let (plugin, found) = started(statement, &context, ran).await;
        assert_eq!(found, forgotten, "{octet}: {why}");
        earlier = Some(plugin);
    }
    // no process goes on when nobody holds it any more
    drop(earlier);
    assert_eq!(started(&once, &context, whole).await.1, 4);
}

/// Answers behind the zone, and meanwhile the zone's file changes.
#[derive(Debug)]
struct Behind {
    db: Arc<Db>,
    text: Option<String>,
}

impl Plugin for Behind {
    fn name(&self) -> &'static str {
        "behind"
    }

    fn serve<'a>(&'a self, query: &'a Query, _next: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async move {
            self.text.iter().for_each(|text| self.db.write(text));
            tokio::time::sleep(Duration::from_secs(20)).await;
            let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::NXDOMAIN);
            Ok(Reply::fresh(answer, Source::Plugin("behind")))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_falls_through_a_zone_that_changes_is_not_memorised() {
    let text = |serial: u32, name: &str| format!("@ 5 SOA a b {serial} 1 1 1 1\n{name} A 192.0.2.1\n");
    for (after, storable) in [(None, true), (Some(text(1, "new")), true), (Some(text(2, "new")), false)] {
        let db = Arc::new(Db::new("behind", &text(1, "old")));
        let plugin = db.plugin("example.org {\n reload 5s\n fallthrough\n}");
        let work = tokio::spawn(Arc::clone(&plugin).run());
        let behind = Arc::new(Behind { db, text: after });
        let asked = query("new.example.org", RecordType::A);
        let reply = testing::ask(&[plugin, behind], &asked).await.unwrap();
        assert_eq!((told(&reply), reply.storable), ("NXDOMAIN:  |  | ".to_owned(), storable));
        work.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_modification_may_decide() {
    let text = |octet: u8| format!("@ 5 SOA a b 1 1 1 1 1\nwww A 192.0.2.{octet}\n");
    let db = Db::new("mtime", &text(1));
    let plugin = db.plugin("example.org {\n reload 10s\n reload_by_mtime\n}");
    let work = tokio::spawn(Arc::clone(&plugin).run());
    db.write(&text(2));
    let file = std::fs::File::options().write(true).open(&db.0).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let reply = asked_of(&plugin, "www.example.org", RecordType::A, false).await.unwrap();
    assert_eq!(told(&reply), "NOERROR aa: www A .2 |  | ");
    work.abort();
}

#[tokio::test]
async fn a_file_that_is_missing_is_awaited() {
    let db = Db::new("missing", "");
    std::fs::remove_file(&db.0).unwrap();
    let statement = |reload: &str| format!("file {} example.org {{\n reload {reload}\n}}", db.0.display());
    let refused = checked(&statement("0")).0.unwrap();
    let error = contract::Spec::build(&refused, &context()).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
    let plugin = built(checked(&statement("1s")), &context());
    let reply = asked_of(&plugin, "www.example.org", RecordType::A, false).await.unwrap();
    assert_eq!((told(&reply), reply.storable), ("SERVFAIL:  |  | ".to_owned(), false));
    for (text, expected) in [
        ("www 5 A 192.0.2.1\n", ":1: it has no SOA for the zone example.org."),
        ("@ 5 SOA a b 1 1 1 1 1\nwww A 192.0.2\n", ":2: A: `192.0.2` is not an IPv4 address"),
        ("@ 5 SOA a b 1 1 1 1 1\nx NSEC3PARAM 1 0 0 -\n", ":2: zones signed with NSEC3"),
    ] {
        db.write(text);
        let spec = checked(&statement("1s")).0.unwrap();
        let error = contract::Spec::build(&spec, &context()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
