//! From settings and flags to what the stack is to be.

use std::path::Path;

use super::flags::comment;
use super::rights::least_policy;
use super::standing::StandingParts;
use super::template::{CertificatePlace, GithubTrust, StackDesign, StackDomain};
use crate::aws::distribution_settings::LiveBehavior;
use crate::cli::SetupArgs;
use crate::edge::IndexLookup;
use crate::edge::error_page::{ErrorPage, with_denied};
use crate::error::Error;
use crate::object::key::state_root;
use crate::rules::edge_function::{EdgeFunction, is_ours};
use crate::rules::redirect::Redirect;
use crate::settings::setup_values::{ACCOUNT, GithubBranch, StackName, new_bucket};
use crate::settings::values::FunctionName;
use crate::settings::{DistributionSetting, Settings, build_dir};
use crate::survey;

/// Where CloudFront takes certificates from.
pub(crate) const CERTIFICATE_REGION: &str = "us-east-1";

/// What the account has already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccountParts {
    /// What was made before, and what deploys wrote into it.
    pub standing: Option<StandingParts>,
    /// The id of the domain's Route 53 zone.
    pub zone: Option<String>,
    /// The ARN of GitHub's OIDC provider.
    pub provider: Option<String>,
}

impl AccountParts {
    /// Returns what the flags say of it: `none` is made here or left to do by hand.
    pub(crate) fn said(flags: &SetupArgs) -> Self {
        let said = |flag: &Option<String>| flag.clone().filter(|said| said != "none");
        Self {
            standing: None,
            zone: said(&flags.hosted_zone),
            provider: said(&flags.github_provider),
        }
    }
}

/// Returns the stack's name.
///
/// # Errors
/// `Exit::Usage` where no bucket is named.
pub(crate) fn stack_name(settings: &Settings) -> Result<String, Error> {
    let bucket = settings.bucket()?;
    let named = settings.stack.clone();
    Ok(named.unwrap_or_else(|| StackName::of_bucket(bucket)).0)
}

/// Returns what the stack is to be in this region.
///
/// # Errors
/// `Exit::Usage` where no bucket is named, or one that cannot be made, and where the function cannot be written.
pub(crate) fn design(
    settings: &Settings,
    flags: &SetupArgs,
    region: &str,
    parts: AccountParts,
) -> Result<StackDesign, Error> {
    let bucket = settings.bucket()?;
    new_bucket(bucket).map_err(Error::usage)?;
    check_flags(flags)?;
    check_folder(&settings.prefix.0)?;
    let stack = stack_name(settings)?;
    let build = build_dir(settings, Path::new("")).ok();
    let standing = parts.standing.unwrap_or_default();
    let function = site_function(settings, &stack, build.as_deref(), &standing)?;
    let headers_policy = site_policy(settings, &stack, &standing);
    let prefix = &settings.prefix.0;
    let name = function
        .as_ref()
        .map(|(name, _)| FunctionName(name.clone()));
    let provider = parts.provider;
    let github = flags.github.as_ref();
    let github = github.map(|github| trust(github, provider, settings, name));
    let error_pages = error_pages(flags, build.as_deref())?;
    Ok(StackDesign {
        flags: comment(flags, &error_pages),
        bucket: bucket.to_owned(),
        prefix: prefix.clone(),
        state: state_folder(settings, bucket),
        price_class: flags.price_class.unwrap_or_default().name().to_owned(),
        error_pages,
        has_tags: settings.tags,
        function,
        headers_policy,
        live: standing.behavior,
        domain: stack_domain(flags, parts.zone, region),
        github: github.transpose()?,
        stack,
    })
}

/// Refuses what says more of something that is not asked for, now or by an earlier run.
fn check_flags(flags: &SetupArgs) -> Result<(), Error> {
    let needs = |flag: &str, other: &str| Err(Error::usage(format!("{flag} needs {other}")));
    if flags.hosted_zone.is_some() && flags.domain.is_none() {
        return needs("--hosted-zone", "--domain HOST");
    }
    if flags.github_provider.is_some() && flags.github.is_none() {
        return needs("--github-provider", "--github OWNER/REPO");
    }
    Ok(())
}

/// Refuses a folder that is no origin's path (CloudFront API Reference, "Origin"), or a variable of CloudFormation's.
fn check_folder(prefix: &str) -> Result<(), Error> {
    const MOST: usize = 255;
    if prefix.len() > MOST || prefix.contains("${") {
        let text = format!("`prefix`: {prefix} is no path that an origin can have");
        return Err(Error::usage(text).hint("up to 255 letters, and no ${"));
    }
    Ok(())
}

/// Returns the folder of the deploys' state, as far as it lies in this bucket.
fn state_folder(settings: &Settings, bucket: &str) -> String {
    let own = settings.state.as_ref();
    own.filter(|state| state.bucket == bucket).map_or_else(
        || state_root(&settings.prefix.0),
        |state| state.prefix.clone(),
    )
}

fn stack_domain(flags: &SetupArgs, zone: Option<String>, region: &str) -> Option<StackDomain> {
    Some(StackDomain {
        name: flags.domain.clone()?,
        zone,
        certificate: if region == CERTIFICATE_REGION {
            CertificatePlace::SameStack
        } else {
            CertificatePlace::OwnStack
        },
    })
}

/// Returns what a role for this branch may do: what `policy` prints for the site as it will be.
fn trust(
    github: &GithubBranch,
    provider: Option<String>,
    settings: &Settings,
    function: Option<FunctionName>,
) -> Result<GithubTrust, Error> {
    let mut deployed = settings.clone();
    // One that is named by the distribution is deploys' own: the stack's is none of it.
    let is_deploys = |name: &FunctionName| name.0.contains("{id}");
    if !deployed.redirect_function.as_ref().is_some_and(is_deploys) {
        deployed.redirect_function = function.or(deployed.redirect_function);
    }
    deployed.distribution.0 = vec![DistributionSetting::Named("${Distribution}".to_owned())];
    Ok(GithubTrust {
        repository: github.repository.clone(),
        branch: github.branch.clone(),
        provider,
        policy: least_policy(&deployed)?,
    })
}

/// Returns the name that is set, or else the stack's: none can hold the id of a distribution that is not there yet.
pub(super) fn own_name(named: Option<&str>, stack: &str) -> String {
    let named = named.filter(|name| !name.contains("{id}"));
    named.unwrap_or(stack).to_owned()
}

/// Returns name and code of the stack's function. One that is there stays what it was made as, since CloudFormation would write
/// another over what deploys wrote since; none is made where a function of theirs is associated.
fn site_function(
    settings: &Settings,
    stack: &str,
    build: Option<&Path>,
    standing: &StandingParts,
) -> Result<Option<(String, String)>, Error> {
    let bucket = settings.bucket()?;
    let site = format!("s3://{bucket}/{}", settings.prefix.0);
    let named = settings.redirect_function.as_ref();
    let named = named.map(|name| name.0.as_str());
    if let Some((name, code)) = standing.function() {
        let code = if is_ours(&code, &site) {
            code
        } else {
            first_code(settings, &site)?
        };
        return Ok(Some((name, code)));
    }
    let is_there = standing
        .behavior
        .as_ref()
        .is_some_and(LiveBehavior::runs_first);
    let is_needed = !is_there && needs_function(settings, build);
    let function = is_needed.then(|| Ok((own_name(named, stack), first_code(settings, &site)?)));
    function.transpose()
}

/// Returns the name of the stack's headers policy: that of the one that is there, and none where deploys made one.
fn site_policy(settings: &Settings, stack: &str, standing: &StandingParts) -> Option<String> {
    let live = standing.behavior.as_ref();
    let is_there = live.is_some_and(|live| live.headers_policy.is_some());
    let wanted = settings.headers_policy().filter(|_| !is_there);
    let wanted = wanted.map(|name| own_name(Some(&name.0), stack));
    standing.headers_policy().or(wanted)
}

/// Tells whether requests have to go through a function: the settings ask for one, or folders' documents have to be found.
fn needs_function(settings: &Settings, build: Option<&Path>) -> bool {
    // Most generators write folders.
    let has_folders = build.is_none_or(has_folder_documents);
    settings.function_name().is_some() || settings.index != IndexLookup::None && has_folders
}

fn has_folder_documents(build: &Path) -> bool {
    let files = walkdir::WalkDir::new(build).min_depth(2);
    let mut files = files.into_iter().filter_map(Result::ok);
    files.any(|file| file.file_name() == "index.html")
}

/// Returns the code that the function begins with: it finds folders' documents, and shows an app's page. What else it is to do,
/// deploys write.
fn first_code(settings: &Settings, site: &str) -> Result<String, Error> {
    let app = Redirect {
        status: 200,
        ..Redirect::new("/*", "/index.html")
    };
    let function = EdgeFunction {
        // Nobody's in particular where the account puts in its number.
        site: Some(site)
            .filter(|site| !site.contains(ACCOUNT))
            .unwrap_or_default()
            .to_owned(),
        redirects: Vec::from_iter(settings.spa.then_some(app)),
        rewrite: survey::rewrite(IndexLookup::Auto, &[], Vec::new()),
        ..EdgeFunction::default()
    };
    let code = function.code();
    code.map_err(|error| Error::usage(error.to_string()))
}

fn error_pages(flags: &SetupArgs, build: Option<&Path>) -> Result<Vec<ErrorPage>, Error> {
    let mut pages = flags.error_page.clone();
    if pages.is_empty() && build.is_some_and(|build| build.join("404.html").is_file()) {
        pages.push(ErrorPage::new(404, "/404.html", 404));
    }
    let pages = with_denied(pages);
    let twice = pages.windows(2).find(|pair| pair[0].code == pair[1].code);
    match twice {
        Some(pair) => Err(Error::usage(format!(
            "--error-page: {} is named twice",
            pair[0].code
        ))),
        None => Ok(pages),
    }
}
