//! A real Chromium without a window, that looks at pages as people do.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chromiumoxide::browser::{Browser as Process, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams,
};
use chromiumoxide::cdp::browser_protocol::page::CaptureScreenshotFormat;
use chromiumoxide::page::{Page, ScreenshotParams};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Longest wait for anything that should happen soon, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);
/// Where screenshots are put, if anywhere.
const SCREENSHOTS: &str = "SYNTH2REAL_SCREENSHOTS";
/// Notes what must never happen on a page.
const NOTE_TROUBLES: &str = "
    window.troubles = [];
    addEventListener('error', (event) => window.troubles.push(String(event.message || event.target.src)), true);
    addEventListener('unhandledrejection', (event) => window.troubles.push(String(event.reason)));
    addEventListener('securitypolicyviolation', (event) => window.troubles.push('CSP: ' + event.violatedDirective));
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });";

/// A browser with an empty profile of its own. It ends when it is dropped.
pub struct Browser {
    process: Process,
    _events: JoinSet<()>,
    _profile: TempDir,
}

/// A page in a browser.
pub struct Tab {
    page: Page,
    look: Mutex<Look>,
}

/// How pages are shown.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Width of the window in pixels.
    pub width: i64,
    /// Height of the window in pixels.
    pub height: i64,
    /// `light` or `dark`.
    pub colours: &'static str,
}

/// A desk in daylight.
const DESK: Look = Look {
    width: 1280,
    height: 900,
    colours: "light",
};

impl Browser {
    /// Starts a browser.
    ///
    /// # Panics
    ///
    /// If there is none, or it does not start.
    pub async fn start() -> Self {
        let program =
            std::env::var_os("CHROMIUM").map_or("/usr/bin/chromium".into(), PathBuf::from);
        assert!(
            program.exists(),
            "{} is not there: infra/setup/chromium.sh install",
            program.display()
        );
        let profile = tempfile::tempdir().expect("a folder");
        let config = BrowserConfig::builder()
            .chrome_executable(program)
            .new_headless_mode()
            .no_sandbox()
            .user_data_dir(profile.path())
            .viewport(None)
            .launch_timeout(PATIENCE)
            .request_timeout(PATIENCE)
            .args([
                "disable-gpu",
                "disable-quic",
                "disable-component-update",
                "hide-scrollbars",
            ])
            .build()
            .expect("a whole configuration");
        let (process, mut handler) = Process::launch(config).await.expect("a browser");
        let mut events = JoinSet::new();
        // Messages that this version does not know are no end.
        events.spawn(async move { while handler.next().await.is_some() {} });
        Self {
            process,
            _events: events,
            _profile: profile,
        }
    }

    /// Opens an address, 1280 pixels wide, light.
    ///
    /// # Panics
    ///
    /// If the browser does not.
    pub async fn open(&self, address: &str) -> Tab {
        let page = self.process.new_page("about:blank").await.expect("a page");
        let page = Tab {
            page,
            look: Mutex::new(DESK),
        };
        let noted = page.page.evaluate_on_new_document(NOTE_TROUBLES).await;
        noted.expect("a script");
        page.look(DESK).await;
        page.go(address).await;
        page
    }

    /// Ends the browser.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub async fn end(mut self) {
        self.process.close().await.expect("the browser closes");
        self.process.wait().await.expect("the browser ends");
    }
}

impl Tab {
    /// Goes to an address.
    ///
    /// # Panics
    ///
    /// If the browser does not.
    pub async fn go(&self, address: &str) {
        self.page.goto(address).await.expect("a page");
    }

    /// Shows pages in another way.
    ///
    /// # Panics
    ///
    /// If the browser does not.
    pub async fn look(&self, look: Look) {
        *self.look.lock().expect("a look") = look;
        let (width, height) = (look.width, look.height);
        let size = SetDeviceMetricsOverrideParams::new(width, height, 1.0, width < 600);
        self.page.execute(size).await.expect("a size");
        let colours = MediaFeature::new("prefers-color-scheme", look.colours);
        let media = SetEmulatedMediaParams::builder().feature(colours).build();
        self.page.execute(media).await.expect("colours");
    }

    /// Closes it.
    ///
    /// # Panics
    ///
    /// If it does not close.
    pub async fn close(self) {
        self.page.close().await.expect("a page closes");
    }

    /// Returns what a JavaScript expression is.
    ///
    /// # Panics
    ///
    /// If it has no value of this kind.
    pub async fn value<T: DeserializeOwned>(&self, expression: &str) -> T {
        let value = self.page.evaluate(expression).await.expect(expression);
        value.into_value().expect(expression)
    }

    /// Waits until a JavaScript expression holds; while a page is loading it does not.
    ///
    /// # Panics
    ///
    /// If it does not for a very long time.
    pub async fn wait_for(&self, what: &str, expression: &str) {
        let started = Instant::now();
        let expression = format!("Boolean({expression})");
        loop {
            let value = self.page.evaluate(expression.as_str()).await;
            if value.is_ok_and(|value| value.into_value().unwrap_or(false)) {
                return;
            }
            if started.elapsed() > PATIENCE {
                let text: String = self.value("document.body.innerText").await;
                panic!("still waiting: {what} ({expression})\n{text}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until something is there.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub async fn wait_for_element(&self, selector: &str) {
        let there = format!("document.querySelector({selector:?})");
        self.wait_for(selector, &there).await;
    }

    /// Waits until the page has a text.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub async fn wait_for_text(&self, text: &str) {
        let there = format!("document.body && document.body.innerText.includes({text:?})");
        self.wait_for(text, &there).await;
    }

    /// Returns the text of an element.
    pub async fn text(&self, selector: &str) -> String {
        self.value(&format!("document.querySelector({selector:?}).innerText"))
            .await
    }

    /// Clicks on an element with the pointer.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn click(&self, selector: &str) {
        self.wait_for_element(selector).await;
        let element = self.page.find_element(selector).await.expect(selector);
        element.click().await.expect(selector);
    }

    /// Types a text into an element.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn type_into(&self, selector: &str, text: &str) {
        let element = self.page.find_element(selector).await.expect(selector);
        element.focus().await.expect(selector);
        element.type_str(text).await.expect(selector);
    }

    /// Presses a key such as `Tab`, wherever the focus is.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    pub async fn press(&self, key: &str) {
        let body = self.page.find_element("body").await.expect("a body");
        body.press_key(key).await.expect(key);
    }

    /// Presses Tab until an element has the focus, as a person without a pointer does.
    ///
    /// # Panics
    ///
    /// If it never gets it.
    pub async fn tab_to(&self, selector: &str) {
        self.wait_for_element(selector).await;
        let focused = format!("Boolean(document.activeElement.closest({selector:?}))");
        for _ in 0..100 {
            if self.value(&focused).await {
                return;
            }
            self.press("Tab").await;
        }
        panic!("the keyboard does not reach {selector}");
    }

    /// Puts a picture of the page where screenshots are wanted, if they are.
    ///
    /// # Panics
    ///
    /// If it cannot be stored.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os(SCREENSHOTS).map(PathBuf::from) else {
            return;
        };
        std::fs::create_dir_all(&folder).expect("a folder");
        let whole = ScreenshotParams::builder()
            .format(CaptureScreenshotFormat::Png)
            .full_page(true)
            .build();
        let picture = self
            .page
            .save_screenshot(whole, folder.join(format!("{name}.png")));
        picture.await.expect("a picture");
        // To take the whole page, the window was made as high as it is.
        let look = *self.look.lock().expect("a look");
        self.look(look).await;
    }

    /// Proves that the page had no error, broke no rule of its own, asked no other server for anything, and that nothing
    /// jumped while it was loading.
    ///
    /// # Panics
    ///
    /// If something of that happened.
    pub async fn is_clean(&self) {
        let troubles: Vec<String> = self.value("window.troubles").await;
        assert_eq!(troubles, Vec::<String>::new());
        let elsewhere: Vec<String> = self
            .value(
                "performance.getEntriesByType('resource').map((entry) => entry.name)
                    .filter((name) => !name.startsWith(location.origin))",
            )
            .await;
        assert_eq!(elsewhere, Vec::<String>::new());
        let shift: f64 = self.value("window.shift").await;
        let address: String = self.value("location.href").await;
        assert!(shift < 0.05, "{address}: the layout shifted by {shift}");
    }

    /// Proves that nothing is wider than the window.
    ///
    /// # Panics
    ///
    /// If something is.
    pub async fn fits(&self) {
        let over: i64 = self
            .value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            .await;
        assert!(over <= 0, "the page is {over} pixels wider than its window");
    }
}
