//! A real Prometheus that scrapes a daemon each second, and is asked by its HTTP API.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::mode;
use crate::place::{self, Folder};
use crate::program::Program;

/// How long it may take to begin. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server; it ends with its owner.
#[derive(Debug)]
pub struct Prometheus {
    address: String,
    // before the folder that it writes to
    _program: Program,
    _folder: Folder,
}

impl Prometheus {
    /// One that scrapes a target under a job and with labels, and evaluates groups of rules each second.
    #[track_caller]
    pub fn scraping(target: &str, job: &str, labels: &Value, groups: &Value) -> Self {
        let (folder, address) = (Folder::new(), format!("{}:9090", place::address()));
        let rules = folder.write("rules.json", &json!({ "groups": groups }).to_string());
        let config = json!({
            "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
            "rule_files": [rules],
            "scrape_configs": [{ "job_name": job, "static_configs": [{ "targets": [target], "labels": labels }] }],
        });
        // JSON is YAML too
        let config = folder.write("prometheus.yml", &config.to_string());
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.file("data").display()),
            format!("--web.listen-address={address}"),
            "--log.level=warn".to_owned(),
        ];
        let path = mode::find("prometheus").expect("prometheus is installed");
        let program = Program::start(&path, &arguments, &[], &folder.file("log"));
        let server = Self { address, _program: program, _folder: folder };
        let begun = Instant::now();
        while server.query("up == 1").map_or(0, |series| series.len()) == 0 {
            assert!(begun.elapsed() < PATIENCE, "it scrapes nothing:\n{}", server._program.last_words());
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }

    /// The series of an expression at this moment.
    ///
    /// # Errors
    /// What Prometheus says of an expression that cannot be evaluated.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get(&format!("/api/v1/query?query={}", encoded(expression)))?;
        Ok(answer["result"].as_array().cloned().unwrap_or_default())
    }

    /// The names of the alerts that fire.
    #[track_caller]
    pub fn firing(&self) -> Vec<String> {
        let answer = self.get("/api/v1/alerts").expect("alerts are told");
        let alerts = answer["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.filter_map(|alert| alert["labels"]["alertname"].as_str().map(str::to_owned)).collect()
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let mut stream = TcpStream::connect(&self.address).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
        // 1.0: the body comes in one piece
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").map_err(|error| error.to_string())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
        let (_, body) = text.split_once("\r\n\r\n").ok_or("no HTTP response")?;
        let answer: Value = serde_json::from_str(body).map_err(|_| body.to_owned())?;
        match answer["status"] == "success" {
            true => Ok(answer["data"].clone()),
            false => Err(answer["error"].to_string()),
        }
    }
}

fn encoded(text: &str) -> String {
    let octet = |octet: u8| match octet.is_ascii_alphanumeric() {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}
