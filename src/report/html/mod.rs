//! The page: a report in one HTML file that loads nothing else. Names may come from untrusted files: maud escapes them, and a
//! content security policy allows only the page's own script.

mod facts;
mod picture;
mod plots;
mod tables;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::ConversionReport;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The whole page.
pub fn page(report: &ConversionReport) -> Markup {
    let title = report.source.network.as_deref().unwrap_or(&report.model.name);
    let sections = sections(report);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(report.generator);
                title { (title) " – conversion to ONNX" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                header {
                    h1 { (title) }
                    p.paths { (report.input) span.arrow { " → " } (report.output) }
                    nav aria-label="Sections" {
                        ul {
                            @for section in &sections {
                                li { a href={ "#" (section.id) } { (section.title) } }
                            }
                        }
                    }
                }
                main #main tabindex="-1" {
                    @for section in &sections {
                        section #(section.id) aria-labelledby={ (section.id) "-title" } {
                            h2 #{ (section.id) "-title" } { (section.title) }
                            (section.content)
                        }
                    }
                }
                footer { p { "Written by " (report.generator) "." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// A section of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    content: Markup,
}

fn sections(report: &ConversionReport) -> Vec<Section> {
    let section = |id, title, content| Section { id, title, content };
    let mut sections = vec![section("overview", "Overview", facts::overview(report))];
    if !report.warnings.is_empty() {
        sections.push(section("warnings", "Warnings", facts::warnings(&report.warnings)));
    }
    sections.push(section("assumptions", "Assumptions", facts::assumptions(report)));
    sections.push(section("network", "Network", picture::picture(report)));
    sections.push(section("layers", "Layers", tables::layers(report)));
    if !report.batch_norms.is_empty() {
        sections.push(section("batch-norms", "Batch norms", tables::batch_norms(report)));
    }
    sections.push(section("weights", "Weights", tables::weights(report)));
    sections.push(section("timing", "Timing", facts::timing(&report.timing)));
    sections
}

/// The content security policy: the page may apply its own style and run its own script.
///
/// Source: Content Security Policy Level 3 (<https://www.w3.org/TR/CSP3/>).
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// A name that may be broken after this character.
fn breakable(name: &str, after: char) -> Markup {
    html! { @for part in name.split_inclusive(after) { (part) wbr; } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_end_where_the_page_ends_them() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }

    #[test]
    fn style_and_script_load_nothing() {
        for text in [STYLE, SCRIPT] {
            let links = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !["http", "url(//", "@import", "fetch(", "eval("].iter().any(|word| links.contains(word))
            );
        }
    }
}
