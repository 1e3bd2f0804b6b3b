//! `deploy --accept-redirects`: the lines that keep lost URLs are written before the deploy.

use super::App;
use super::connect::Link;
use crate::deploy;
use crate::error::Error;
use crate::job::{EventSink, Job};
use crate::plan::lost::LostUrl;
use crate::rules::redirect::Redirect;

impl App {
    /// Plans silently, and writes the redirects that keep what would be lost. Returns the app whose settings have them.
    pub(super) async fn accepting_redirects(&self, link: &Link, job: &Job) -> Result<App, Error> {
        let silent = EventSink::new(|_| ());
        let (_, plan) = deploy::plan(&link.aws, job, &self.stop, &silent).await?;
        let mut settings = self.settings.clone();
        let redirects: Vec<Redirect> = plan.lost.iter().filter_map(LostUrl::kept).collect();
        if !redirects.is_empty() {
            let written = settings.write_redirects(&job.dir, &redirects)?;
            self.printer.wrote_redirects(&written);
        }
        Ok(self.with(settings))
    }
}
