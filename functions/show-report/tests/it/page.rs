//! A page, and what every page must be.

use std::path::PathBuf;

use scraper::{ElementRef, Html, Selector};
use serde_json::Value;
use show_report::Analysis;

pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) html: Html,
}

impl Page {
    /// Of a row; checked.
    #[track_caller]
    pub(crate) fn of(row: &Value) -> Self {
        let text = written(row);
        let page = Self { html: Html::parse_document(&text), text };
        page.check();
        page
    }

    pub(crate) fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        self.html.select(&Selector::parse(selector).unwrap()).collect()
    }

    /// Of the first one, in one line, with ordinary spaces.
    #[track_caller]
    pub(crate) fn words(&self, selector: &str) -> String {
        words(*self.all(selector).first().unwrap_or_else(|| panic!("no {selector}")))
    }

    /// Kept with what the tests leave behind, to be looked at.
    pub(crate) fn keep(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("report-{name}.html")), &self.text).unwrap();
    }

    /// It is HTML, it stands alone, and everybody can read it.
    #[track_caller]
    fn check(&self) {
        assert_eq!(self.html.errors, Vec::<&str>::new());
        self.check_that_it_stands_alone();
        self.check_that_everybody_can_read_it();
        self.check_that_nothing_is_written_that_is_no_word();
    }

    fn check_that_it_stands_alone(&self) {
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
            assert!(!style.contains("@import") && !style.contains("url("), "a style fetches something");
        }
    }

    fn check_that_everybody_can_read_it(&self) {
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

    /// No code's idea of nothing or of a number that is none, wherever a reader may meet it.
    fn check_that_nothing_is_written_that_is_no_word(&self) {
        let labels = self.all("[aria-label]");
        let labels = labels.iter().filter_map(|labelled| labelled.attr("aria-label"));
        let body = self.all("body");
        let texts = body.iter().flat_map(ElementRef::text);
        for text in texts.chain(labels) {
            let mut words = text.split(|c: char| !c.is_alphanumeric());
            let wrong = words
                .find(|word| ["NaN", "nan", "inf", "Infinity", "null", "None", "Some", "undefined"].contains(word));
            let said = ["What is undefined is", "undefined throughout"];
            assert!(wrong.is_none() || said.iter().any(|said| text.contains(said)), "{wrong:?} in {text:?}");
        }
    }
}

/// Only written, which takes less time than to read it again.
pub(crate) fn written(row: &Value) -> String {
    let analysis: Analysis = serde_json::from_value(row.clone()).unwrap();
    analysis.page().unwrap()
}

pub(crate) fn words(element: ElementRef<'_>) -> String {
    let text = element.text().collect::<Vec<_>>().join(" ").replace('\u{a0}', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
