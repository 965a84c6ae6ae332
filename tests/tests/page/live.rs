//! What the page shows while pods ask: figures that change, names that are no markup, a connection that is lost.

use nearpath_tests::{Daemon, ask, mode};

use super::*;

/// The figure at the beginning of a text.
fn figure(text: &str) -> f64 {
    text.split(' ').next().and_then(|word| word.replace(',', "").parse().ok()).unwrap_or(0.0)
}

#[test]
fn figures_change_while_pods_ask() {
    if !have_browser() {
        return;
    }
    let node = Node::start();
    let asking = Asking::of(&node.daemon);
    let browser = node.seen();
    browser.sees("Number(document.getElementById('tile-rate').textContent) > 10");
    let before = figure(&browser.reads("document.getElementById('tile-total').textContent"));
    browser.sees(&format!(
        "parseInt(document.getElementById('tile-total').textContent.replace(',', '')) > {}",
        before + 100.0
    ));
    browser.sees("parseFloat(document.getElementById('tile-hits').textContent) > 50");
    browser.sees("/\\d/.test(document.getElementById('tile-p99').textContent)");
    // the picture, and the same as a table
    browser.sees("/hits [\\d.,]+\\/s/.test(document.querySelector('#picture svg').textContent)");
    browser.sees("document.querySelector('#picture').textContent.includes('NXDOMAIN')");
    browser.sees("/^2 of 2 up/.test(document.querySelector('#way-table tbody').rows[6].cells[1].textContent)");
    // lines, and the same as a table
    browser.sees("document.querySelectorAll('#chart-hits .curve, #chart-latency .curve').length >= 3");
    browser.sees("/%/.test(document.querySelector('#history-table tbody').textContent)");
    // tables
    let names = "document.querySelector('#top-names tbody').textContent";
    browser.sees(&format!("{names}.includes('www.example.com.shop.svc.cluster.local')"));
    let clients = "document.querySelector('#top-clients tbody').textContent";
    browser.sees(&format!("{clients}.includes('shop/web') && {clients}.includes('127.3.0.2')"));
    for upstream in [&node.centre, &node.outside] {
        let table = "document.querySelector('#upstream-table tbody').textContent";
        browser.sees(&format!("{table}.includes('{}')", upstream.address()));
    }
    browser.sees("/ago$/.test(document.querySelector('#failure-table tbody').rows[0].cells[2]?.textContent)");
    browser.sees("document.getElementById('node-state').textContent.includes('in step')");
    browser.sees("document.getElementById('health').textContent === 'Healthy'");
    assert_eq!(browser.reads("document.title"), "worker-3 – Nearpath");
    was_quiet(&browser, node.page());
    drop(asking);
    // the watchdog goes on asking, twice a second
    browser.sees("Number(document.getElementById('tile-rate').textContent) < 10");
}

#[test]
fn a_name_is_never_markup() {
    if !have_browser() {
        return;
    }
    let node = Node::start();
    let browser = node.seen();
    browser.runs("window.fired = 0");
    let name = "<img/src=x/onerror=fired++>.example.com";
    let listed = "document.querySelector('#top-names tbody').textContent.includes('onerror')";
    let listed = format!("(explain({name:?}, 'A', ''), {listed})");
    for _ in 0..20 {
        node.daemon.asked(&ask(name, "A"));
    }
    browser.sees(&listed);
    browser.sees("document.getElementById('explain-said').textContent.includes('onerror')");
    assert_eq!(browser.runs("return document.querySelectorAll('main img').length + window.fired"), 0);
    was_quiet(&browser, node.page());
}

#[test]
fn a_lost_connection_is_said_and_mended() {
    if !have_browser() {
        return;
    }
    let Node { centre, outside, daemon } = Node::start();
    let at = daemon.address();
    let browser = Browser::start();
    browser.opens(&format!("http://{}/", page_of(at)));
    browser.sees("document.getElementById('link').textContent === 'Live'");
    assert_eq!(browser.runs("return document.getElementById('lost').checkVisibility()"), false);
    assert_eq!(daemon.terminates(), Some(0));
    browser.sees("document.getElementById('lost').checkVisibility()");
    browser.sees("document.getElementById('link').textContent === 'Connection lost'");
    let _again: Daemon = Node::daemon(at, &centre, &outside);
    browser.sees("document.getElementById('link').textContent === 'Live'");
    browser.sees("!document.getElementById('lost').checkVisibility()");
    let others: Vec<_> = browser.console().into_iter().filter(|line| !line.contains("net::ERR_")).collect();
    assert!(others.is_empty(), "beside the failed requests the console said: {others:#?}");
}

#[test]
fn it_looks_as_it_should_by_day_and_by_night() {
    if !have_browser() {
        return;
    }
    let node = Node::start();
    let _asking = Asking::of(&node.daemon);
    let browser = node.seen();
    browser.sees("document.querySelectorAll('#chart-latency .curve').length >= 2");
    browser.sees("document.querySelector('#top-names tbody').rows.length >= 4");
    let folder = pictures().unwrap_or_else(|| node.daemon.folder().path().to_path_buf());
    let mut backs = Vec::new();
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (1600, "dark")] {
        browser.looks(width, scheme);
        let height = browser.runs("return document.documentElement.scrollHeight").as_u64().expect("a height");
        let path = folder.join(format!("page-{width}-{scheme}.png"));
        browser.shows(width, u32::try_from(height).expect("a page of some length"), &path);
        let picture = std::fs::read(&path).expect("it was written just now");
        // the width in the head of a PNG (RFC 2083, 4.1.1)
        assert_eq!(picture[16..20], width.to_be_bytes(), "{scheme}");
        backs.push(browser.reads("getComputedStyle(document.body).backgroundColor"));
        mode::note(&format!("{width} px, {scheme}: {height} px long, {} octets", picture.len()));
    }
    assert!(backs[0] == backs[2] && backs[1] == backs[3] && backs[0] != backs[1], "{backs:?}");
    was_quiet(&browser, node.page());
}
