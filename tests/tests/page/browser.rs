//! A real browser, driven as W3C WebDriver says: chromedriver speaks it, Chromium is started beside it and ends with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use nearpath_tests::mode;
use nearpath_tests::place::Folder;
use nearpath_tests::program::{self, Program};
use serde_json::{Value, json};

/// What must be installed.
pub(super) const NEEDS: &[&str] = &["chromium", "chromedriver", program::NEEDS];
/// How long the browser may take for anything. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// It looks nobody up, fetches nothing of its own, and talks to loopback alone.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*",
    "--remote-debugging-port=0",
];

/// Keys as WebDriver writes them.
pub(super) const TAB: char = '\u{e004}';
/// The key that presses.
pub(super) const ENTER: char = '\u{e007}';

/// A browser with one page. Ends with its value.
pub(super) struct Browser {
    _chromium: Program,
    _driver: Program,
    port: u16,
    session: String,
    _folder: Folder,
}

impl Browser {
    /// Starts one with an empty profile.
    #[track_caller]
    pub(super) fn start() -> Self {
        let folder = Folder::new();
        let path = |name: &str| folder.file(name);
        let own = format!("--user-data-dir={}", path("profile").display());
        let flags: Vec<String> =
            FLAGS.iter().copied().chain([own.as_str(), "about:blank"]).map(str::to_owned).collect();
        let find = |name| mode::find(name).expect("it was looked for");
        let mut chromium = Program::start(&find("chromium"), &flags, &[], &path("chromium.log"));
        let devtools = once_in(&path("profile").join("DevToolsActivePort"), &mut chromium, |text| {
            text.ends_with(|end| end != '\n').then(|| text.lines().next()?.parse().ok())?
        });
        let log = path("driver.log");
        let mut driver = Program::start(&find("chromedriver"), &["--port=0".to_owned()], &[], &log);
        let port = once_in(&log, &mut driver, |text| {
            text.split("successfully on port ").nth(1)?.split_once('.')?.0.parse().ok()
        });
        let mut browser = Self { _chromium: chromium, _driver: driver, port, session: String::new(), _folder: folder };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "debuggerAddress": format!("127.0.0.1:{devtools}") },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let session = browser.call("POST", "/session", Some(&wanted));
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("a session has an id"));
        browser
    }

    /// Opens a page and waits until it is loaded.
    #[track_caller]
    pub(super) fn opens(&self, url: &str) {
        self.says("POST", "/url", Some(&json!({ "url": url })));
    }

    /// Runs the body of a function in the page and gives what it returns.
    #[track_caller]
    pub(super) fn runs(&self, script: &str) -> Value {
        self.says("POST", "/execute/sync", Some(&json!({ "script": script, "args": [] })))
    }

    /// The text that an expression gives.
    #[track_caller]
    pub(super) fn reads(&self, expression: &str) -> String {
        let value = self.runs(&format!("return String({expression})"));
        value.as_str().expect("a text").to_owned()
    }

    /// Waits until an expression holds.
    #[track_caller]
    pub(super) fn sees(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.runs(&format!("return Boolean({expression})")) != true {
            let page = || self.reads("document.querySelector('main').innerText");
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {expression}; the page says:\n{}", page());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Presses and releases keys, one after the other.
    #[track_caller]
    pub(super) fn types(&self, keys: impl IntoIterator<Item = char>) {
        let turn = |kind: &str, key: char| json!({ "type": kind, "value": key });
        let actions: Vec<_> = keys.into_iter().flat_map(|key| [turn("keyDown", key), turn("keyUp", key)]).collect();
        let keyboard = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        self.says("POST", "/actions", Some(&keyboard));
    }

    /// Lays the page out at this width, in `light` or `dark`.
    #[track_caller]
    pub(super) fn looks(&self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
        // what is drawn at the size of the page follows with the next frame
        let frames = json!({ "script": "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0])))", "args": [] });
        self.says("POST", "/execute/async", Some(&frames));
    }

    /// A picture (PNG) of the page from its top on, into a file.
    #[track_caller]
    pub(super) fn shows(&self, width: u32, height: u32, path: &Path) {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let taken = self.devtools("Page.captureScreenshot", &json!({ "captureBeyondViewport": true, "clip": clip }));
        let text = taken["data"].as_str().expect("a picture");
        std::fs::write(path, BASE64.decode(text.as_bytes()).expect("base64")).expect("the folder can be written");
    }

    /// What the console said since it was last asked: errors and warnings, also of the network and of policies.
    #[track_caller]
    pub(super) fn console(&self) -> Vec<String> {
        self.log("browser").iter().map(Value::to_string).collect()
    }

    /// What was asked of anybody since this was last asked.
    #[track_caller]
    pub(super) fn requests(&self) -> Vec<String> {
        let sent = |entry: &Value| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &event["message"];
            let is_sent = event["method"] == "Network.requestWillBeSent";
            is_sent.then(|| event["params"]["request"]["url"].as_str().unwrap_or("?").to_owned())
        };
        self.log("performance").iter().filter_map(sent).collect()
    }

    #[track_caller]
    fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.says("POST", "/se/log", Some(&json!({ "type": kind })));
        entries.as_array().expect("a list").clone()
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.says("POST", "/goog/cdp/execute", Some(&json!({ "cmd": command, "params": parameters })))
    }

    #[track_caller]
    fn says(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.call(method, &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("the driver reads");
        let (status, text) = response(&mut BufReader::new(stream));
        let reply: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        assert_eq!(status, 200, "{path} {body}: {reply:#}");
        reply["value"].clone()
    }
}

/// Status and body of a response that says how long it is.
fn response(stream: &mut impl std::io::BufRead) -> (u16, String) {
    let (mut status, mut length) = (0, 0);
    for line in stream.by_ref().lines() {
        let line = line.expect("the driver answers in time");
        let (name, value) = line.split_once(':').unwrap_or_default();
        match line.strip_prefix("HTTP/1.1 ") {
            Some(rest) => status = rest.split(' ').next().and_then(|code| code.parse().ok()).expect("a status"),
            None if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().expect("a length"),
            None if line.is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a whole body");
    (status, String::from_utf8(body).expect("UTF-8"))
}

/// Waits until a program has written a number into a file.
#[track_caller]
fn once_in(path: &Path, program: &mut Program, number: impl Fn(&str) -> Option<u16>) -> u16 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = std::fs::read_to_string(path).ok().and_then(|text| number(&text)) {
            return found;
        }
        assert!(program.ended().is_none() && Instant::now() < deadline, "{}", program.last_words());
        std::thread::sleep(Duration::from_millis(20));
    }
}
