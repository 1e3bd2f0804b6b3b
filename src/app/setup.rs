//! `unstale setup`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use md5::{Digest, Md5};

use super::App;
use super::connect::Link;
use crate::aws::cloudformation::{SiteStack, StackRequest};
use crate::aws::{AwsErrorKind, CallerIdentity};
use crate::cli::SetupArgs;
use crate::error::{Error, Exit};
use crate::report::setup::{ReadySite, StackProgress};
use crate::settings::added_keys::{AddedKeys, with_keys};
use crate::settings::values::BucketAddress;
use crate::settings::{self, FILE, LOCAL_BUCKET};
use crate::setup::account::account_parts;
use crate::setup::design::{AccountParts, CERTIFICATE_REGION, design, stack_name};
use crate::setup::flags::with_earlier;
use crate::setup::run::{SetupEvent, StackRun, StackStanding, drifts};
use crate::setup::template::StackDesign;

/// `env`: the part of deploy.toml that is asked for.
pub(super) async fn setup(app: &App, flags: &SetupArgs, env: Option<&str>) -> Result<Exit, Error> {
    let mut app = App {
        settings: app.settings.clone(),
        printer: app.printer.clone(),
        stop: app.stop.clone(),
    };
    // As deploy.toml will have it.
    let builds = settings::build_folders(app.home());
    app.settings.dir = app.settings.dir.or(builds.first().map(PathBuf::from));
    if flags.print {
        return app.print_template(flags);
    }
    let link = app.connect_account().await?;
    let done = app.set_up(flags, &link, env).await;
    done.map_err(|mut error| {
        if error.kind == Some(AwsErrorKind::AccessDenied) {
            let hint = error.hint.take().unwrap_or_default();
            error.hint = Some(hint.replace("`unstale policy`", "`unstale policy --for setup`"));
        }
        error
    })
}

impl App {
    /// Returns the folder of the settings file.
    fn home(&self) -> &Path {
        let file = self.settings.file.as_deref();
        file.and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// Prints the template as it is for an account that has nothing but what the flags name.
    fn print_template(&self, flags: &SetupArgs) -> Result<Exit, Error> {
        let region = self.settings.region.as_deref();
        let region = region.unwrap_or(CERTIFICATE_REGION);
        let design = design(&self.settings, flags, region, AccountParts::said(flags))?;
        self.printer.template(&design);
        Ok(Exit::Done)
    }

    async fn set_up(
        &mut self,
        flags: &SetupArgs,
        link: &Link,
        env: Option<&str>,
    ) -> Result<Exit, Error> {
        let region = link.aws.region().ok_or_else(|| {
            Error::usage("no region is given").hint("`--region NAME`, where the bucket is to be")
        })?;
        let identity = link.aws.identity().await?;
        self.name_bucket(flags, &identity);
        let stack = stack_name(&self.settings, flags)?;
        if flags.check {
            return self.check_stack(&stack, link).await;
        }
        let earlier = link.aws.cloudformation(None).template(&stack).await?;
        let earlier = earlier.unwrap_or_default();
        let flags = &match flags.anew {
            true => flags.clone(),
            false => with_earlier(flags, &earlier),
        };
        let (parts, assumed) = account_parts(&link.aws, flags, (&identity, &earlier)).await;
        self.printer.warnings(&assumed);
        let design = design(&self.settings, flags, &region, parts)?;
        let progress = self.printer.stack_progress();
        let zone = design
            .domain
            .as_ref()
            .and_then(|domain| domain.zone.clone());
        let tell = |event| told(&progress, event, zone.as_deref());
        let place = |region| StackPlace {
            link,
            region,
            tell: &tell,
        };
        let mut parameters = BTreeMap::new();
        if let Some(template) = design.certificate_template() {
            let request = request(&format!("{stack}-certificate"), template, BTreeMap::new());
            let stack = self
                .stand(request, place(CERTIFICATE_REGION), flags)
                .await?;
            parameters.extend(stack.outputs);
        }
        let request = request(&stack, design.template(), parameters);
        let site = self.stand(request, place(&region), flags).await?;
        self.conclude_setup(&site, &design, (&region, env))?;
        Ok(Exit::Done)
    }

    /// Names the bucket by the domain or the project, and by the account: the name has to be the only one in the world.
    fn name_bucket(&mut self, flags: &SetupArgs, identity: &CallerIdentity) {
        let here = std::env::current_dir().unwrap_or_default();
        let here = here
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = flags.domain.clone().or(here).unwrap_or_default();
        let named = || BucketAddress::named(&bucket_name(&name, &identity.account));
        self.settings.bucket.get_or_insert_with(named);
    }

    /// Brings a stack to where its template has it, and returns it.
    async fn stand(
        &self,
        request: StackRequest,
        StackPlace { link, region, tell }: StackPlace<'_>,
        flags: &SetupArgs,
    ) -> Result<SiteStack, Error> {
        let run = StackRun {
            cloudformation: link.aws.cloudformation(Some(region)),
            request,
            pace: pace(link),
            stop: &self.stop,
            tell,
        };
        loop {
            match run.standing().await? {
                StackStanding::Ready(stack) => {
                    self.printer.unchanged_stack(&run.request.stack);
                    return Ok(stack);
                }
                StackStanding::Leftover(stack) => {
                    self.printer.leftover(&run.request.stack, &stack);
                    if !self.is_agreed(flags) {
                        return Err(unanswered(&run.request.stack));
                    }
                    run.remove(&stack).await?;
                }
                StackStanding::Proposed(proposal) => {
                    self.printer.proposal(&proposal, region);
                    let takes_away = proposal.takes_away() && flags.yes && !flags.anew;
                    if takes_away || !self.is_agreed(flags) {
                        run.withdraw(&proposal.stack_id).await?;
                        let error = unanswered(&run.request.stack);
                        return Err(match takes_away {
                            true => error.hint("something would be removed or replaced: --yes --anew agrees to that, too"),
                            false => error,
                        });
                    }
                    return run.carry_out(&proposal).await;
                }
            }
        }
    }

    fn is_agreed(&self, flags: &SetupArgs) -> bool {
        flags.yes || self.printer.can_ask() && self.printer.agrees("CloudFormation will do this.")
    }

    async fn check_stack(&self, stack: &str, link: &Link) -> Result<Exit, Error> {
        let run = StackRun {
            cloudformation: link.aws.cloudformation(None),
            request: request(stack, String::new(), BTreeMap::new()),
            pace: pace(link),
            stop: &self.stop,
            tell: &|_| {},
        };
        let drifts = drifts(&run).await?;
        self.printer.drift(stack, &drifts);
        Ok(if drifts.is_empty() {
            Exit::Done
        } else {
            Exit::Changes
        })
    }

    /// Returns what deploy.toml has to say of the site.
    fn site_keys(
        &self,
        design: &StackDesign,
        region: &str,
        distribution: Option<String>,
    ) -> Vec<(&'static str, String)> {
        let mut keys = Vec::new();
        let dir = self.settings.dir.as_ref();
        keys.extend(dir.map(|dir| ("dir", dir.display().to_string())));
        // What names things of an account means nothing with `--local`.
        if self.settings.local.is_none() || design.bucket != LOCAL_BUCKET {
            keys.push(("bucket", design.bucket.clone()));
        }
        if self.settings.local.is_none() {
            keys.push(("region", region.to_owned()));
            keys.extend(distribution.map(|id| ("distribution", id)));
        }
        let function = design.function.as_ref().map(|(name, _)| name.clone());
        keys.extend(function.map(|name| ("redirect-function", name)));
        keys.extend(
            design
                .headers_policy
                .clone()
                .map(|name| ("headers-policy", name)),
        );
        keys
    }

    /// Writes deploy.toml, and says what is next.
    fn conclude_setup(
        &self,
        site: &SiteStack,
        design: &StackDesign,
        (region, env): (&str, Option<&str>),
    ) -> Result<(), Error> {
        let output = |name: &str| site.outputs.get(name).cloned();
        if let Some(domain) = design
            .domain
            .as_ref()
            .filter(|domain| domain.zone.is_none())
        {
            let target = output("DistributionDomain").unwrap_or_default();
            self.printer.wanted_records(&domain.name, &target);
        }
        let path = self
            .settings
            .file
            .clone()
            .unwrap_or_else(|| PathBuf::from(FILE));
        let id = output("DistributionId");
        let keys = self.site_keys(design, region, id);
        let keys = match env {
            // The top level holds for all of them.
            Some(env) => {
                let head = [format!("[env.{env}]")].into_iter();
                let text = |value: &str| serde_json::Value::from(value);
                let lines = keys
                    .iter()
                    .map(|(key, value)| format!("{key} = {}", text(value)));
                self.printer.wanted_keys(
                    &path.display().to_string(),
                    &head.chain(lines).collect::<Vec<_>>(),
                );
                AddedKeys::default()
            }
            None => written(&path, &keys)?,
        };
        self.printer.ready(&ReadySite {
            stack: &design.stack,
            outputs: &site.outputs,
            file: &path.display().to_string(),
            keys: &keys,
            next: if self.settings.local.is_some() {
                "`unstale deploy --local` puts the site there, `unstale preview --local` shows it"
            } else {
                "`unstale deploy` puts the site there"
            },
        });
        Ok(())
    }
}

/// Where a stack is to be, and who is told of it.
struct StackPlace<'a> {
    link: &'a Link,
    region: &'a str,
    tell: &'a (dyn Fn(SetupEvent) + Sync),
}

/// Tells what goes on. A zone of the account gets the certificate's record by itself.
fn told(progress: &StackProgress, event: SetupEvent, zone: Option<&str>) {
    if zone.is_none() || matches!(event, SetupEvent::Resource(_)) {
        progress.event(event);
    }
}

/// Returns the request for a stack: its change set is named by what it is made from, so that an equal one is found again.
fn request(stack: &str, template: String, parameters: BTreeMap<String, String>) -> StackRequest {
    let digest = Md5::digest(format!("{template}{parameters:?}"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    StackRequest {
        name: format!("unstale-{digest}"),
        stack: stack.to_owned(),
        template,
        parameters,
    }
}

fn pace(link: &Link) -> (Duration, Duration) {
    if link.is_official() {
        (Duration::from_millis(500), Duration::from_secs(5))
    } else {
        (Duration::from_millis(20), Duration::from_millis(200))
    }
}

fn unanswered(stack: &str) -> Error {
    Error::usage(format!(
        "nothing was made of the stack {stack}: nobody agreed to it"
    ))
    .hint("--yes agrees")
}

/// Returns a name as buckets may have it: 3 to 63 small letters, digits and hyphens (S3 User Guide, "General purpose bucket naming
/// rules").
fn bucket_name(name: &str, account: &str) -> String {
    let fit = |letter: char| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    };
    let name: String = name.chars().map(fit).take(50).collect();
    let name = name.trim_matches('-');
    let name = if name.is_empty() { "site" } else { name };
    format!("{name}-{account}")
}

/// Adds keys to the settings file, or begins one.
fn written(path: &Path, keys: &[(&str, String)]) -> Result<AddedKeys, Error> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => {
            text.map_err(|error| Error::failed(format!("cannot read {shown}")).because(error))?
        }
    };
    let keys = with_keys(&text, keys)?;
    if !keys.added.is_empty() {
        let failed = |error| Error::failed(format!("cannot write {shown}")).because(error);
        let near = path.with_extension("toml.new");
        // Whole or not at all.
        std::fs::write(&near, &keys.text)
            .and_then(|()| std::fs::rename(&near, path))
            .map_err(failed)?;
    }
    Ok(keys)
}
