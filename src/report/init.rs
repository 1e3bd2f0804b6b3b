//! `unstale init`.

use serde::Serialize;

use super::json::typed;
use super::printer::Printer;
use super::text::shown;
use crate::aws::AwsError;

/// The settings that were written.
#[derive(Debug, Serialize)]
pub struct WrittenSettings<'a> {
    pub file: &'a str,
    pub dir: &'a str,
    pub is_built: bool,
    /// The one that writes `dir`.
    pub generator: Option<&'static str>,
    /// Builds that lie here too.
    pub others: &'a [String],
    pub text: &'a str,
    #[serde(skip)]
    pub names_bucket: bool,
    /// Another tool deployed the site until now.
    #[serde(skip)]
    pub takes_over: bool,
}

impl Printer {
    /// Says why there is nothing to choose from.
    pub fn cannot_list(&self, what: &str, error: &AwsError) {
        self.note(&format!(
            "The {what} cannot be listed: {}",
            shown(&error.to_string())
        ));
    }

    /// Says which distribution `auto` finds.
    pub fn found_distribution(&self, distribution: &str) {
        self.note(&format!(
            "Distribution, by its origin: {}",
            shown(distribution)
        ));
    }

    pub fn wrote_settings(&self, written: &WrittenSettings) {
        let (dir, others) = (written.dir, written.others);
        let text = format!("Wrote {}:\n\n{}", written.file, written.text.trim_end());
        self.result(&text, &typed("init", written));
        let yet = if written.is_built {
            ""
        } else {
            ": build the site first"
        };
        match written.generator {
            Some(generator) => self.note(&format!("{generator} writes {dir}{yet}")),
            None if !written.is_built => self.note(&format!("There is no {dir} yet{yet}")),
            None => (),
        }
        if !others.is_empty() {
            self.note(&format!("Also here: {}", others.join(", ")));
        }
        let next = match (written.names_bucket, written.takes_over) {
            (false, _) => {
                "It names no bucket yet: set `bucket`, or try it without: `unstale deploy --local`"
            }
            (true, false) => "`unstale plan` shows what a deploy would do",
            (true, true) => {
                "Next: `unstale plan --adopt` shows which objects become this tool's, what\n\
                 headers change and which old objects would go, and the one purge of `/*`.\n\
                 Without --adopt what the build does not have stays in the bucket."
            }
        };
        self.note(next);
    }
}
