//! `unstale setup`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::App;
use super::connect::Link;
use super::existing::warn_of_missing;
use super::stacks::{SetupStacks, certificate_stack, request};
use crate::aws::cloudformation::{SiteStack, StackRequest};
use crate::aws::usual_region;
use crate::cli::{PrintedTemplate, SetupArgs};
use crate::error::{Error, Exit};
use crate::settings::added_keys::is_of_another;
use crate::settings::setup_values::{ACCOUNT, new_bucket};
use crate::settings::values::{BucketAddress, FunctionName, PolicyName};
use crate::settings::{self, Settings};
use crate::setup::account::account_parts;
use crate::setup::design::{AccountParts, CERTIFICATE_REGION, design, stack_name};
use crate::setup::flags::{earlier_flags, with_earlier};
use crate::setup::run::StackRun;
use crate::setup::standing::StandingParts;
use crate::setup::template::StackDesign;

/// Stands for a certificate that is not there yet, where its site's stack is shown.
const LATER: &str =
    "arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000";

/// `env`: the part of deploy.toml that is asked for.
pub(super) async fn setup(app: &App, flags: &SetupArgs, env: Option<&str>) -> Result<Exit, Error> {
    let mut app = app.with(app.settings.clone());
    if let Some(dir) = flags.dir.as_deref().filter(|dir| !dir.is_dir()) {
        return Err(
            Error::usage(format!("there is no folder {}", dir.display()))
                .hint("build the site first, or leave the folder out"),
        );
    }
    // As deploy.toml will have it.
    let builds = settings::build_folders(app.home());
    app.settings.dir = app.settings.dir.or(builds.first().map(PathBuf::from));
    app.settings.spa |= flags.spa;
    if let Some(printed) = flags.print {
        return app.print_template(flags, env, printed).await;
    }
    let link = app.connect_account().await?;
    let done = app.set_up(flags, &link, env).await;
    done.map_err(|mut error| {
        let whole = format!("`{}`", policy_command(&app.settings, flags));
        let hint = error.hint.take();
        let hint = hint.map(|hint| hint.replace("`unstale policy`", &whole));
        error.hint = hint;
        error
    })
}

/// Returns the command that prints what these flags need.
fn policy_command(settings: &Settings, flags: &SetupArgs) -> String {
    let bucket = settings.bucket.as_ref();
    let named = [
        bucket.map(|bucket| format!(" --bucket {}", bucket.name)),
        settings
            .stack
            .as_ref()
            .map(|stack| format!(" --stack {}", stack.0)),
        flags.domain.as_ref().map(|_| " --domain".to_owned()),
        flags.github.as_ref().map(|_| " --github".to_owned()),
    ];
    let named: String = named.into_iter().flatten().collect();
    format!("unstale policy --for setup{named}")
}

impl App {
    /// Returns the folder of the settings file.
    pub(super) fn home(&self) -> &Path {
        let file = self.settings.file.as_deref();
        file.and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// Prints a template as it is for an account that has nothing but what the flags name.
    async fn print_template(
        &mut self,
        flags: &SetupArgs,
        env: Option<&str>,
        printed: PrintedTemplate,
    ) -> Result<Exit, Error> {
        self.name_bucket(flags, env, ACCOUNT);
        let settings = &self.settings;
        let region = match &settings.region {
            None => usual_region(settings.profile.as_deref()).await,
            region => region.clone(),
        };
        let region = region.unwrap_or_else(|| CERTIFICATE_REGION.to_owned());
        let design = design(settings, flags, &region, AccountParts::said(flags))?;
        if printed == PrintedTemplate::Certificate && design.certificate_template().is_none() {
            return Err(Error::usage("--print=certificate: there is no such stack")
                .hint("there is one with --domain, in another region than us-east-1"));
        }
        self.printer.template(&design, printed);
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
        self.check_account(&identity.account)?;
        self.name_bucket(flags, env, &identity.account);
        self.disown(env)?;
        let stack = stack_name(&self.settings)?;
        if flags.check {
            let stacks = SetupStacks {
                app: self,
                link,
                flags,
                zone: None,
                tell: &|_| {},
            };
            return stacks.check(&stack, &region).await;
        }
        let standing = StandingParts::read(&link.aws, &stack).await?;
        let earlier = &standing.template;
        let flags = &if flags.anew {
            flags.clone()
        } else {
            let flags = with_earlier(flags, earlier);
            self.printer.earlier_flags(earlier_flags(earlier));
            flags
        };
        self.settings.spa |= flags.spa;
        let (mut parts, assumed) = account_parts(&link.aws, flags, (&identity, earlier)).await;
        parts.standing = Some(standing.clone());
        self.printer.warnings(&assumed);
        let design = design(&self.settings, flags, &region, parts)?;
        warn_of_missing(self, &flags.error_page);
        self.warn_of_setup();
        if !flags.anew {
            check_site(&standing, &design)?;
        }
        let template = standing.unless_changed(design.template());
        let site = self
            .make_site(flags, link, (&design, template, &region))
            .await?;
        self.conclude_setup(&site, &design, (&region, env))?;
        if design.certificate_template().is_none() && region != CERTIFICATE_REGION {
            self.tell_of_certificate(link, &stack).await;
        }
        Ok(Exit::Done)
    }

    /// Warns of what a deploy would miss that no stack brings.
    fn warn_of_setup(&self) {
        let settings = &self.settings;
        if settings.dir.is_none() {
            self.printer.warn("there is no build here: deploy.toml gets no `dir`, and the site no error page; build it, then run this again");
        }
        let region = settings.region.as_deref().unwrap_or(CERTIFICATE_REGION);
        if settings.local.is_some() && region != CERTIFICATE_REGION {
            self.printer.warn(&format!(
                "`--local` plays {CERTIFICATE_REGION}: in {region} a certificate is a stack of its own"
            ));
        }
        let elsewhere = settings.state.as_ref().filter(|state| {
            let bucket = settings.bucket.as_ref();
            bucket.is_some_and(|bucket| bucket.name != state.bucket) && settings.local.is_none()
        });
        if let Some(state) = elsewhere {
            self.printer.warn(&format!(
                "`state` is in the bucket {}, which this does not make: deploys need it",
                state.bucket
            ));
        }
    }

    /// Refuses to make a site in another account than deploys expect it in.
    fn check_account(&self, account: &str) -> Result<(), Error> {
        let owner = self.settings.expected_bucket_owner.as_ref();
        match owner.filter(|owner| owner.0 != account) {
            Some(owner) => Err(Error::usage(format!(
                "this is the account {account}, and `expected-bucket-owner` is {}",
                owner.0
            ))
            .hint("sign in there, or take it off")),
            None => Ok(()),
        }
    }

    /// Tells of a certificate that a site had before. Who may not ask is not told.
    async fn tell_of_certificate(&self, link: &Link, stack: &str) {
        let stack = certificate_stack(stack);
        let there = link.aws.cloudformation(Some(CERTIFICATE_REGION));
        if let Ok(Some(_)) = there.stack(&stack).await {
            self.printer.unneeded_stack(&stack, CERTIFICATE_REGION);
        }
    }

    /// Brings the site's stack to what it is to be, and before it the certificate's, where that has one of its own.
    async fn make_site(
        &self,
        flags: &SetupArgs,
        link: &Link,
        (design, template, region): (&StackDesign, String, &str),
    ) -> Result<SiteStack, Error> {
        let progress = self.printer.stack_progress();
        let domain = design.domain.as_ref();
        let stacks = SetupStacks {
            app: self,
            link,
            flags,
            zone: domain.and_then(|domain| domain.zone.clone()),
            tell: &|event| progress.event(event),
        };
        let site = |parameters: BTreeMap<String, String>| {
            let request = |template| request(&design.stack, template, parameters.clone());
            let first = flags.import_bucket.then(|| StackRequest {
                imports: true,
                ..request(design.importing_template())
            });
            StackRun {
                first,
                ..stacks.run(region, request(template.clone()))
            }
        };
        let (mut parameters, mut agreed) = (BTreeMap::new(), Vec::new());
        if let Some(template) = design.certificate_template() {
            let own = request(&certificate_stack(&design.stack), template, BTreeMap::new());
            let own = stacks.run(CERTIFICATE_REGION, own);
            let later = [("CertificateArn".to_owned(), LATER.to_owned())];
            let later = site(BTreeMap::from(later));
            let made = stacks.stand(&own, Some(&later), &mut agreed).await?;
            parameters.extend(made.outputs);
        }
        stacks.stand(&site(parameters), None, &mut agreed).await
    }

    /// Names the bucket by the domain, or the project and the part of its settings, and by the account: the name has to be the only one
    /// in the world.
    fn name_bucket(&mut self, flags: &SetupArgs, env: Option<&str>, account: &str) {
        let project = || {
            let here = std::env::current_dir().unwrap_or_default();
            let here = here.file_name().unwrap_or_default().to_string_lossy();
            let part = env.map(|env| format!("-{env}")).unwrap_or_default();
            format!("{here}{part}")
        };
        let name = flags.domain.clone().unwrap_or_else(project);
        let named = || BucketAddress::named(&bucket_name(&name, account));
        self.settings.bucket.get_or_insert_with(named);
    }

    /// Gives a site names of its own for what the settings name of another: the function and the headers policy.
    fn disown(&mut self, env: Option<&str>) -> Result<(), Error> {
        let settings = &self.settings;
        let (Some(file), Some(bucket)) = (&settings.file, &settings.bucket) else {
            return Ok(());
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let own = |key: &str| {
            let is_foreign = is_of_another(&text, env, key, &bucket.name);
            is_foreign.then(|| stack_name(settings)).transpose()
        };
        let (function, policy) = (own("redirect-function")?, own("headers-policy")?);
        let settings = &mut self.settings;
        settings.redirect_function = function
            .map(FunctionName)
            .or(settings.redirect_function.take());
        settings.headers_policy = policy.map(PolicyName).or(settings.headers_policy.take());
        Ok(())
    }
}

/// Refuses to have one site's distribution show another.
fn check_site(standing: &StandingParts, design: &StackDesign) -> Result<(), Error> {
    let folder = design.prefix.trim_end_matches('/');
    match standing.site() {
        Some((bucket, path)) if (bucket, path) != (&design.bucket, folder) => Err(Error::usage(
            format!(
                "the stack {} is that of s3://{bucket}/{path}, not of s3://{}/{folder}",
                design.stack, design.bucket
            ),
        )
        .hint(
            "give this site a bucket of its own, since a bucket has one stack; or --anew turns that one over to it",
        )),
        _ => Ok(()),
    }
}

/// Returns a name as buckets may have it: 3 to 63 small letters, digits and hyphens (S3 User Guide, "General purpose bucket naming
/// rules").
fn bucket_name(name: &str, account: &str) -> String {
    let fit = |letter: char| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    };
    // As many as leave room for the account's number in the stack's name, too.
    let name: String = name
        .chars()
        .map(fit)
        .skip_while(|letter| *letter == '-')
        .take(43)
        .collect();
    let name = format!("{}-{account}", name.trim_end_matches('-'));
    // With nothing, or what S3 keeps for itself, before the account's number.
    if new_bucket(&name).is_ok() {
        name
    } else {
        format!("site-{account}")
    }
}
