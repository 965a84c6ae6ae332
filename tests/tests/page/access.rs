//! The page without a mouse, and for those who do not see it as others do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::browser::{ENTER, TAB};
use super::*;

/// What a person would look at, as functions of the page.
const LOOK: &str = include_str!("look.js");
/// One flaw of each kind.
const FLAWS: &str = "
    document.querySelector('nav a').setAttribute('href', '#nowhere');
    document.querySelector('label').remove();
    document.querySelector('caption').style.color = getComputedStyle(document.querySelector('.panel')).backgroundColor;
    document.querySelector('footer').style.width = '200vw';
";
/// More stops than the page has.
const STOPS_MAX: usize = 120;

fn look(browser: &Browser, what: &str) -> Value {
    browser.runs(&format!("{LOOK}; return {what}()"))
}

#[test]
fn a_name_is_explained_by_keyboard_alone() {
    if !have_browser() {
        return;
    }
    let node = Node::start();
    let browser = node.seen();
    browser.types([TAB]);
    assert_eq!(look(&browser, "focused")["name"], "Skip to explain a name");
    browser.types([ENTER]);
    browser.sees("document.activeElement.id === 'explain-name'");
    browser.types("www.example.com".chars());
    browser.types([TAB, TAB]);
    browser.types("shop/web".chars());
    browser.types([TAB]);
    assert_eq!(look(&browser, "focused")["name"], "Explain");
    browser.types([ENTER]);
    browser.sees("document.getElementById('explain-said').textContent.includes('NOERROR')");
    let result = browser.reads("document.getElementById('explain-result').innerText");
    for word in ["shop/web", "192.0.2.1", "autopath", "cluster.local", "1 of 4", "4 of 4", "www.example.com."] {
        assert!(result.contains(word), "{word} in:\n{result}");
    }
    // whom nobody knows: said in words, and what was there before has gone
    browser.runs("explain('www.example.com', 'A', 'shop/nobody')");
    browser.sees("document.getElementById('explain-said').textContent.startsWith('Not explained: ')");
    assert_eq!(browser.reads("document.getElementById('explain-result').innerText"), "");
}

#[test]
fn every_stop_of_the_keyboard_is_seen() {
    if !have_browser() {
        return;
    }
    let node = Node::start();
    let asking = Asking::of(&node.daemon);
    let browser = node.seen();
    browser.sees("document.querySelector('#top-clients tbody').rows.length >= 2");
    drop(asking);
    let mut reached = BTreeSet::new();
    for _ in 0..STOPS_MAX {
        browser.types([TAB]);
        let stop = look(&browser, "focused");
        let name = stop["name"].as_str().expect("a text").to_owned();
        if stop["tag"] == "BODY" || (name.starts_with("Skip") && !reached.is_empty()) {
            break;
        }
        assert!(stop["marked"] == true && stop["seen"] == true, "it is not seen where the focus is: {stop}");
        reached.insert(name);
    }
    for name in ["Way", "Explain", "Both as a table", "Name", "Type", "The same as a table", "Explain shop/web"] {
        assert!(reached.contains(name), "{name} is not reached: {reached:?}");
    }
}

#[test]
fn it_can_be_read_by_everybody_at_every_width() {
    if !have_browser() {
        return;
    }
    let node = Node::start();
    let _asking = Asking::of(&node.daemon);
    let browser = node.seen();
    browser.sees("document.querySelectorAll('#chart-latency .curve').length >= 2");
    browser.sees("document.querySelector('#failure-table tbody').rows[0].cells.length === 3");
    browser.runs("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    browser.runs("explain('www.example.com', 'A', 'shop/web')");
    browser.sees("document.getElementById('explain-said').textContent.includes('NOERROR')");
    for (width, scheme) in
        [(360, "light"), (360, "dark"), (800, "light"), (1280, "light"), (1280, "dark"), (1600, "dark")]
    {
        browser.looks(width, scheme);
        for what in ["landmarks", "names", "contrast", "fits"] {
            let wrong = look(&browser, what);
            assert_eq!(wrong, Value::Array(Vec::new()), "{what} at {width} px, {scheme}");
        }
    }
    was_quiet(&browser, node.page());
    // whoever looks does find what is wrong
    browser.runs(FLAWS);
    for what in ["landmarks", "names", "contrast", "fits"] {
        assert_eq!(look(&browser, what).as_array().map(Vec::len), Some(1), "{what}");
    }
}
