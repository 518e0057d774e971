//! Rendered page, with the checks that every page must pass.

use std::path::PathBuf;

use scraper::{ElementRef, Html, Selector};
use serde_json::Value;
use show_report::Report;

pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) html: Html,
}

impl Page {
    /// Renders a row and checks the page.
    #[track_caller]
    pub(crate) fn of(row: &Value) -> Self {
        let text = rendered(row);
        let page = Self { html: Html::parse_document(&text), text };
        page.check();
        page
    }

    pub(crate) fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        self.html.select(&Selector::parse(selector).unwrap()).collect()
    }

    /// Text of the first match, on one line, with ordinary spaces.
    #[track_caller]
    pub(crate) fn words(&self, selector: &str) -> String {
        words(*self.all(selector).first().unwrap_or_else(|| panic!("no {selector}")))
    }

    /// Saves the page in the target directory, to be viewed in a browser.
    pub(crate) fn save(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("report-{name}.html")), &self.text).unwrap();
    }

    /// Checks that the page is valid HTML, self-contained and accessible.
    #[track_caller]
    fn check(&self) {
        assert_eq!(self.html.errors, Vec::<&str>::new());
        self.check_self_contained();
        self.check_accessible();
        self.check_words();
    }

    fn check_self_contained(&self) {
        for element in ["script", "iframe", "object", "embed", "form", "img", "base", "a"] {
            assert_eq!(self.all(element).len(), 0, "{element}");
        }
        for element in self.all("*") {
            for (name, value) in element.value().attrs() {
                assert!(
                    !name.starts_with("on") && !["src", "srcset", "action", "xlink:href"].contains(&name),
                    "{name}"
                );
                assert!(name != "href" || value == "data:,", "{value}");
                assert!(!value.contains("javascript:"), "{value}");
            }
        }
        for style in self.all("style") {
            let style = style.text().collect::<String>();
            assert!(!style.contains("@import") && !style.contains("url("), "a style loads a resource");
        }
    }

    fn check_accessible(&self) {
        assert_eq!(self.all("h1").len(), 1);
        assert_eq!(self.all("title").len(), 1);
        assert_eq!(self.all("html[lang=en]").len(), 1);
        let mut last = 0;
        for heading in self.all("h1, h2, h3, h4") {
            let level: u32 = heading.value().name()[1..].parse().unwrap();
            assert!(level <= last + 1, "{} follows level {last}", heading.html());
            assert!(!words(heading).is_empty());
            last = level;
        }
        for table in self.all("table") {
            let inside = |selector: &str| table.select(&Selector::parse(selector).unwrap()).count();
            assert_eq!(inside("caption"), 1);
            assert!(inside("thead th[scope=col]") > 0);
            assert_eq!(inside("tbody tr"), inside("tbody th[scope=row]"));
            for name in table.select(&Selector::parse("th, caption").unwrap()) {
                assert!(!words(name).is_empty(), "{}", table.html());
            }
            for row in table.select(&Selector::parse("tbody tr").unwrap()) {
                let cells = row.select(&Selector::parse("th, td").unwrap()).count();
                assert_eq!(cells, inside("thead th"), "{}", row.html());
            }
        }
        for drawing in self.all("svg") {
            assert_eq!(drawing.attr("role"), Some("img"));
            assert!(drawing.attr("aria-label").is_some_and(|label| label.len() > 20));
        }
        for figure in self.all("figure") {
            for part in ["h3", "figcaption", "details table"] {
                assert!(figure.select(&Selector::parse(part).unwrap()).next().is_some(), "no {part}");
            }
        }
        for details in self.all("details") {
            assert!(details.select(&Selector::parse("summary").unwrap()).next().is_some());
        }
    }

    /// Checks that no text contains a programming term for an undefined value, such as `NaN`.
    fn check_words(&self) {
        let labels = self.all("[aria-label]");
        let labels = labels.iter().filter_map(|labelled| labelled.attr("aria-label"));
        let body = self.all("body");
        let texts = body.iter().flat_map(ElementRef::text);
        for text in texts.chain(labels) {
            let mut words = text.split(|c: char| !c.is_alphanumeric());
            let wrong = words
                .find(|word| ["NaN", "nan", "inf", "Infinity", "null", "None", "Some", "undefined"].contains(word));
            let allowed = ["An undefined metric is", "undefined throughout"];
            assert!(wrong.is_none() || allowed.iter().any(|allowed| text.contains(allowed)), "{wrong:?} in {text:?}");
        }
    }
}

/// Renders a row, without parsing or checking the page.
pub(crate) fn rendered(row: &Value) -> String {
    let report: Report = serde_json::from_value(row.clone()).unwrap();
    report.page().unwrap()
}

pub(crate) fn words(element: ElementRef<'_>) -> String {
    let text = element.text().collect::<Vec<_>>().join(" ").replace('\u{a0}', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
