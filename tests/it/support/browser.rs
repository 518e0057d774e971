//! Headless Chromium, driven through WebDriver.

use std::path::PathBuf;
use std::process::Stdio;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::Url;

/// Minimum width of Chromium's window, in CSS pixels; a narrower screen is emulated as that of a phone.
const MIN_WINDOW_WIDTH: u32 = 500;

/// Running browser.
pub(crate) struct Browser {
    pub(crate) client: Client,
    /// Killed when dropped, which ends the browser.
    _driver: Child,
}

impl Browser {
    /// Opens a window of this size, in CSS pixels.
    pub(crate) async fn open(width: u32, height: u32) -> Self {
        let (driver, port) = start_driver().await;
        // No sandbox: tests may run as root, and load only their own pages.
        let window = format!("--window-size={width},{height}");
        let mut options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", window],
        });
        if width < MIN_WINDOW_WIDTH {
            let metrics = json!({ "width": width, "height": height, "pixelRatio": 2 });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let capabilities: Map<String, Value> = serde_json::from_value(json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": options,
        }))
        .unwrap();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self { client, _driver: driver }
    }

    pub(crate) async fn go_to(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Visible text of the page.
    pub(crate) async fn text(&self) -> String {
        self.client.find(Locator::Css("body")).await.unwrap().text().await.unwrap()
    }

    /// Presses the button whose text begins with these words, and waits for the next page.
    pub(crate) async fn press(&self, words: &str) {
        let xpath = format!("//button[starts-with(normalize-space(.), '{words}')]");
        self.client
            .find(Locator::XPath(&xpath))
            .await
            .unwrap_or_else(|_| panic!("no button {words}"))
            .click()
            .await
            .unwrap();
    }

    /// `true` if the page is wider than the window.
    pub(crate) async fn overflows(&self) -> bool {
        let script = "return document.documentElement.scrollWidth > window.innerWidth";
        self.client.execute(script, Vec::new()).await.unwrap().as_bool().unwrap()
    }

    /// Emulates the media type `screen` or `print`, and the colour scheme `light` or `dark`.
    pub(crate) async fn emulate_media(&self, medium: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let body = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "media": medium, "features": features } });
        self.client.issue_cmd(ChromiumCommand { path: "goog/cdp/execute", body }).await.unwrap();
    }

    /// Saves a screenshot of the window in the target folder.
    pub(crate) async fn save_screenshot(&self, name: &str) {
        save(name, &self.client.screenshot().await.unwrap());
    }

    /// Saves a screenshot of the whole page.
    pub(crate) async fn save_full_page_screenshot(&self, name: &str) {
        let area = "return [innerWidth, document.documentElement.scrollHeight]";
        let area = self.client.execute(area, Vec::new()).await.unwrap();
        let clip = json!({ "x": 0, "y": 0, "width": area[0], "height": area[1], "scale": 1 });
        let parameters = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let body = json!({ "cmd": "Page.captureScreenshot", "params": parameters });
        let picture = self.client.issue_cmd(ChromiumCommand { path: "goog/cdp/execute", body }).await.unwrap();
        save(name, &BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap());
    }

    /// URLs that were requested since the last call.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let events = self.log_entries("performance").await.into_iter().map(|entry| {
            let text = entry["message"].as_str().unwrap();
            serde_json::from_str::<Value>(text).unwrap()["message"].take()
        });
        events
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Console messages since the last call.
    pub(crate) async fn console_messages(&self) -> Vec<String> {
        self.log_entries("browser").await.iter().map(Value::to_string).collect()
    }

    async fn log_entries(&self, kind: &str) -> Vec<Value> {
        let body = json!({ "type": kind });
        let entries = self.client.issue_cmd(ChromiumCommand { path: "se/log", body }).await.unwrap();
        entries.as_array().unwrap().clone()
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}

fn save(name: &str, picture: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
}

/// Command of Chromium that is not in the WebDriver standard.
#[derive(Debug)]
struct ChromiumCommand {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for ChromiumCommand {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// Starts the driver; returns it with its port. The driver chooses a free port for IPv4 and exits if that port is in
/// use for IPv6; then it is started again, up to 20 times.
async fn start_driver() -> (Child, String) {
    for _ in 0..20 {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let port = port.trim_end_matches('.').to_owned();
                // Reads until the end; otherwise the driver would block on a full pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return (driver, port);
            }
        }
    }
    panic!("chromedriver did not print its port");
}
