//! Where a project's build is, by its generator's files and settings. Looks at the disk. Each row is as the generator's own
//! documentation says.

use std::path::{Component, Path, PathBuf};

use regex::Regex;
use serde_json::Value;

/// Name, marks, settings and defaults of each generator, those that are built on others before them. Marks are files that show that a
/// project uses it, `=` and what one of them holds. Settings are keys of files that tell where it writes; of two keys the first names the
/// folder that the second is relative to; a key after a dot is that of a block. Defaults are where it writes unless it is told otherwise. A file's name may end in `.*`, for
/// all endings of scripts, or in `.+`, for those of settings.
const GENERATORS: &str = r#"
Hexo | package.json="hexo": | _config.+:public_dir | public
Hugo | hugo.+ config/_default/hugo.+ config/_default/config.+ config.+=baseurl | hugo.+:publishDir config/_default/hugo.+:publishDir config/_default/config.+:publishDir config.+:publishDir | public
Zola | config.toml=base_url | config.toml:output_dir | public
Gatsby | package.json="gatsby": | | public
Jekyll | _config.+ | _config.+:destination | _site
Eleventy | .eleventy.js eleventy.config.* package.json="@11ty/eleventy": | eleventy.config.*:setOutputDirectory eleventy.config.*:output .eleventy.js:output | _site
Docusaurus | docusaurus.config.* | | build
VitePress | .vitepress/config.* | .vitepress/config.*:outDir | .vitepress/dist
VuePress | .vuepress/config.* | .vuepress/config.*:dest | .vuepress/dist
MkDocs | mkdocs.yml mkdocs.yaml | mkdocs.yml:site_dir mkdocs.yaml:site_dir | site
mdBook | book.toml | book.toml:build-dir | book book/html
Pelican | pelicanconf.py | pelicanconf.py:OUTPUT_PATH | output
Sphinx | conf.py source/conf.py | | _build/html build/html
Quarto | _quarto.yml | _quarto.yml:output-dir | _site _book
Astro | astro.config.* package.json="astro": | astro.config.*:outDir | dist
Next.js | next.config.*='export' next.config.*="export" | next.config.*:distDir | out
Next.js | next.config.* package.json="next": | | out
Nuxt | nuxt.config.* | | .output/public dist
SvelteKit | package.json="@sveltejs/kit": | svelte.config.*:pages | build
Angular | angular.json | | dist
Create React App | package.json="react-scripts": | package.json:BUILD_PATH .env.production.local:BUILD_PATH .env.local:BUILD_PATH .env.production:BUILD_PATH .env:BUILD_PATH | build
Vue CLI | package.json="@vue/cli-service": | vue.config.*:outputDir | dist
Vite | vite.config.* package.json="vite": | vite.config.*:root:build.outDir | dist
"#;

const SCRIPTS: [&str; 6] = ["js", "mjs", "cjs", "ts", "mts", "cts"];
const DATA: [&str; 4] = ["toml", "yaml", "yml", "json"];

/// Comments of scripts and settings. A `//` inside of a word is an address, a `/*` a pattern of files.
const COMMENTS: &str = r"(?m)^\s*/\*(?s:.*?)\*/|^\s*#.*$|(?:^|\s)(?://|#\s).*$";

/// A row of the table.
struct SiteGenerator {
    name: &'static str,
    marks: &'static str,
    settings: &'static str,
    defaults: &'static str,
}

fn generators() -> impl Iterator<Item = SiteGenerator> {
    GENERATORS.lines().filter_map(|row| {
        let mut cells = row.split('|').map(str::trim);
        Some(SiteGenerator {
            name: cells.next()?,
            marks: cells.next()?,
            settings: cells.next()?,
            defaults: cells.next()?,
        })
    })
}

/// Where a project may keep its site.
const PROJECTS: [&str; 7] = ["", "docs", "website", "blog", "client", "frontend", "web"];

/// Where a workspace keeps its projects.
const WORKSPACES: [&str; 3] = ["apps", "packages", "sites"];

/// Where builds are though no generator says so. In projects of a known one `public` is source.
const USUAL: [&str; 9] = [
    "public",
    "_site",
    "dist",
    "build",
    "out",
    ".output/public",
    "site",
    "book",
    "_book",
];

const INDEX: &str = "index.html";

/// What fits a generator beside the folder: what it stamps, and what readers need not be served. docs/generators.md shows it.
const FITTING: [(&str, &str); 5] = [
    (
        "Hexo",
        r#"
# The theme landscape gives each post's share button an id of chance.
[[noise]]
match = "*.html"
regex = 'data-url="[^"]*" data-id="([^"]+)"'
"#,
    ),
    (
        "Jekyll",
        r#"
# jekyll-feed writes when the site was built; entries have their own <updated>.
[[noise]]
match = "feed.xml"
regex = 'rel="alternate" type="text/html"[^>]*/><updated>([^<]+)'
"#,
    ),
    (
        "MkDocs",
        r#"# Search engines read sitemap.xml; this one is the same, with today's date in it, compressed.
exclude = ["sitemap.xml.gz"]

# The themes mkdocs and readthedocs.
[[noise]]
match = "index.html"
regex = 'Build Date UTC : ([^\n]*)'

[[noise]]
match = "sitemap.xml"
regex = '<lastmod>([^<]*)'
"#,
    ),
    ("Sphinx", "exclude = [\".buildinfo\", \".doctrees/\"]\n"),
    (
        "SPA",
        "spa = true # it has routes of its own: /users/5 shows index.html\n",
    ),
];

/// Generators of apps, whose routes a library of this name tells.
const APPS: [&str; 4] = ["Angular", "Create React App", "Vue CLI", "Vite"];
const ROUTERS: &str = "\"(?:[^\"]*[-/])?router(?:-dom)?\"\\s*:|\"wouter\"\\s*:";

/// A build that a project's generator writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedBuild {
    pub generator: &'static str,
    /// Relative to the project, where it is not absolute.
    pub folder: String,
    /// Lines of deploy.toml that fit it, to come after its keys.
    pub fitting: &'static str,
}

/// Finds where the generators of a project write, whether it was built or not. `project` may be empty for the current folder.
pub(crate) fn expected_builds(project: &Path) -> Vec<ExpectedBuild> {
    let mut members = Vec::new();
    for folder in WORKSPACES {
        let entries = project.join(folder).read_dir().into_iter().flatten();
        members.extend(
            entries.filter_map(|entry| Some(Path::new(folder).join(entry.ok()?.file_name()))),
        );
    }
    members.sort();
    let mut builds = Vec::new();
    for inner in PROJECTS.iter().map(PathBuf::from).chain(members) {
        let folder = project.join(&inner);
        for generator in generators().filter(|generator| generator.is_used(&folder)) {
            let outputs = generator.outputs(&folder).into_iter();
            builds.extend(outputs.map(|output| ExpectedBuild {
                generator: generator.name,
                folder: normalized(&inner.join(output)),
                fitting: generator.fitting(&folder),
            }));
        }
    }
    builds
}

/// Finds the builds of a project that are there, the likeliest first.
pub(crate) fn build_folders(project: &Path) -> Vec<String> {
    let expected = expected_builds(project);
    let has_page = |folder: &String| project.join(folder).join(INDEX).is_file();
    let usual = USUAL.map(str::to_owned).into_iter();
    let usual = usual.filter(|folder| has_page(folder));
    let is_plain = !generators().any(|generator| generator.is_used(project));
    let usual = usual.filter(|folder| is_plain || folder != "public");
    let mut folders: Vec<String> = Vec::new();
    for folder in expected
        .iter()
        .map(|build| build.folder.clone())
        .chain(usual)
    {
        if !folders.contains(&folder) && project.join(&folder).is_dir() {
            folders.push(folder);
        }
    }
    folders.sort_by_key(|folder| !has_page(folder));
    folders
}

impl SiteGenerator {
    fn is_used(&self, project: &Path) -> bool {
        self.marks.split_whitespace().any(|mark| {
            let (file, held) = mark.split_once('=').unwrap_or((mark, ""));
            let mut texts = texts(project, file).into_iter();
            texts.any(|text| text.to_lowercase().contains(held))
        })
    }

    fn fitting(&self, project: &Path) -> &'static str {
        let has_routes = || {
            let packages = texts(project, "package.json").concat();
            Regex::new(ROUTERS).is_ok_and(|router| router.is_match(&packages))
        };
        let name = if APPS.contains(&self.name) && has_routes() {
            "SPA"
        } else {
            self.name
        };
        let fitting = FITTING.iter().find(|(fits, _)| *fits == name);
        fitting.map_or("", |(_, lines)| lines)
    }

    /// Returns the folders that it writes, relative to the project.
    fn outputs(&self, project: &Path) -> Vec<String> {
        if self.name == "Angular" {
            return angular_outputs(project);
        }
        let defaults = || {
            self.defaults
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        };
        let mut settings = self.settings.split_whitespace();
        let told = settings.find_map(|setting| {
            let (file, keys) = setting.split_once(':')?;
            let Some((base, key)) = keys.split_once(':') else {
                return Some(vec![literal(project, file, keys)?]);
            };
            let base = literal(project, file, base).unwrap_or_default();
            let folders = literal(project, file, key).map_or_else(defaults, |folder| vec![folder]);
            let folders = folders.iter().map(|folder| Path::new(&base).join(folder));
            Some(folders.map(|folder| folder.display().to_string()).collect())
        });
        told.unwrap_or_else(defaults)
    }
}

/// Reads the files of a name that are there.
fn texts(project: &Path, file: &str) -> Vec<String> {
    let named = |stem: &str, endings: &[&str]| -> Vec<String> {
        let names = endings.iter().map(|ending| format!("{stem}.{ending}"));
        names.collect()
    };
    let names = match (file.strip_suffix(".*"), file.strip_suffix(".+")) {
        (Some(stem), _) => named(stem, &SCRIPTS),
        (_, Some(stem)) => named(stem, &DATA),
        _ => vec![file.to_owned()],
    };
    let texts = names
        .iter()
        .map(|name| std::fs::read_to_string(project.join(name)));
    texts.filter_map(Result::ok).collect()
}

/// Returns the text that a key is given in a file: in TOML, YAML, JSON, an .env file, or where a script spells it out.
fn literal(project: &Path, file: &str, key: &str) -> Option<String> {
    let is_script = [".*", ".js", ".py"]
        .iter()
        .any(|ending| file.ends_with(ending));
    let bare = if is_script {
        ""
    } else {
        r#"|([^\s"'`,;#&(){}\[\]]+)"#
    };
    let (block, key) = key
        .split_once('.')
        .map_or(("", key), |(block, key)| (block, key));
    let key = regex::escape(key);
    let value = format!(r#"(?:"([^"]+)"|'([^']+)'|`([^`]+)`{bare})"#);
    let assigned = format!(r#"(?i)(?:^|[\s{{,("'`.]){key}["'`]?\s*[:=(]\s*{value}"#);
    let assigned = Regex::new(&assigned).ok()?;
    let comments = Regex::new(COMMENTS).ok()?;
    let texts = texts(project, file).join("\n");
    let text = comments.replace_all(&texts, "\n");
    let text = match block {
        "" => &*text,
        block => inside(&text, block)?,
    };
    let lines: Vec<&str> = text.lines().collect();
    // What is indented in YAML may be another key of that name.
    let outer = lines.iter().filter(|line| !line.starts_with([' ', '\t']));
    let mut lines = outer.chain(&lines);
    let value = lines.find_map(|line| {
        let groups = assigned.captures(line)?;
        let value = groups.iter().skip(1).flatten().next()?;
        Some(value.as_str().to_owned())
    });
    value.filter(|value| !value.contains(['$', '%', '<']))
}

/// Returns what a script has between the braces of a key.
fn inside<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let opens = Regex::new(&format!(r#"\b{key}["']?\s*:\s*\{{"#)).ok()?;
    let rest = &text[opens.find(text)?.end()..];
    let mut depth = 1;
    let closes = |letter: char| {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    };
    rest.find(closes).map(|end| &rest[..end])
}

/// Returns what each project of angular.json writes (Angular's documentation, "Output path configuration").
fn angular_outputs(project: &Path) -> Vec<String> {
    let text = texts(project, "angular.json").pop().unwrap_or_default();
    let workspace: Value = serde_json::from_str(&text).unwrap_or_default();
    let projects = workspace["projects"].as_object().into_iter().flatten();
    let outputs = projects.filter_map(|(name, project)| {
        let targets = project
            .get("architect")
            .or_else(|| project.get("targets"))?;
        let build = targets.get("build")?;
        let output = &build["options"]["outputPath"];
        let base = output.as_str().or(output["base"].as_str());
        let base = base.map_or_else(|| format!("dist/{name}"), str::to_owned);
        let builder = build["builder"].as_str().unwrap_or_default();
        if !builder.ends_with(":application") {
            return Some(base);
        }
        let browser = output["browser"].as_str().unwrap_or("browser");
        Some(format!("{base}/{browser}"))
    });
    outputs.collect()
}

/// Takes `.` and what `..` undoes out of a path.
fn normalized(path: &Path) -> String {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A project of these files; a folder's name ends in a slash.
    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let project = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = project.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap()
            } else {
                fs::write(path, text).unwrap()
            }
        }
        project
    }

    /// Files and texts of a project, its generator and its build.
    type ProjectCase<'a> = (&'a [(&'a str, &'a str)], &'static str, &'a str);

    fn dependency(name: &str) -> String {
        format!("{{\"dependencies\": {{\"{name}\": \"^1.0.0\"}}}}")
    }

    #[test]
    fn each_generator_is_found_with_its_own_setting() {
        let cra = "{\"scripts\": {\"build\": \"BUILD_PATH='./www' react-scripts build\"},\n\"dependencies\": {\"react-scripts\": \"5\"}}";
        let vite =
            "export default defineConfig({\n  // outDir: 'old',\n  build: { outDir: \"www\" },\n})";
        let angular = "{\"projects\": {\"app\": {\"architect\": {\"build\": {\"builder\": \"@angular/build:application\"}}}}}";
        let angular_base = "{\"projects\": {\"app\": {\"architect\": {\"build\": {\"builder\": \"@angular/build:application\", \"options\": {\"outputPath\": {\"base\": \"www\", \"browser\": \"\"}}}}}}}";
        let angular_old = "{\"projects\": {\"app\": {\"architect\": {\"build\": {\"builder\": \"@angular-devkit/build-angular:browser\", \"options\": {\"outputPath\": \"www\"}}}}}}";
        let (hexo, gatsby, vue) = (
            &*dependency("hexo"),
            &*dependency("gatsby"),
            &*dependency("@vue/cli-service"),
        );
        let (kit, react) = (&*dependency("@sveltejs/kit"), &*dependency("react-scripts"));
        let cases: &[ProjectCase<'_>] = &[
            (&[("package.json", hexo)], "Hexo", "public"),
            (
                &[
                    ("package.json", hexo),
                    ("_config.yml", "public_dir: www # here\n"),
                ],
                "Hexo",
                "www",
            ),
            (&[("_config.yml", "title: a\n")], "Jekyll", "_site"),
            (
                &[(
                    "_config.yml",
                    "x:\n  destination: no\ndestination: ./www/\n",
                )],
                "Jekyll",
                "www",
            ),
            (&[("hugo.toml", "publishDir = 'www'\n")], "Hugo", "www"),
            (&[("hugo.toml", "publishdir = \"www\"\n")], "Hugo", "www"),
            (&[("hugo.yaml", "publishDir: www\n")], "Hugo", "www"),
            (&[("hugo.json", "{\"publishDir\": \"www\"}")], "Hugo", "www"),
            (
                &[("config/_default/hugo.toml", "title = 'a'\n")],
                "Hugo",
                "public",
            ),
            (&[("config.toml", "baseURL = 'a'\n")], "Hugo", "public"),
            (&[("config.toml", "base_url = 'a'\n")], "Zola", "public"),
            (&[("package.json", gatsby)], "Gatsby", "public"),
            (&[("vite.config.ts", vite)], "Vite", "www"),
            (
                &[(
                    "vite.config.js",
                    "root: 'src',\nbuild: {\n outDir: '../www' }",
                )],
                "Vite",
                "www",
            ),
            (&[("vite.config.js", "root: 'src',")], "Vite", "src/dist"),
            (
                &[("vite.config.js", "build: { outDir: path.join(a, 'b') }")],
                "Vite",
                "dist",
            ),
            (
                &[("vite.config.js", "build: { outDir: `${a}/b` }")],
                "Vite",
                "dist",
            ),
            (
                &[(
                    "vite.config.js",
                    "plugins: [dts({ outDir: 'types' })], build: { a: {}, outDir: 'www' }",
                )],
                "Vite",
                "www",
            ),
            (
                &[("_config.toml", "destination = 'www'\n")],
                "Jekyll",
                "www",
            ),
            (&[("blog/package.json", hexo)], "Hexo", "blog/public"),
            (&[("package.json", &dependency("vite"))], "Vite", "dist"),
            (
                &[(
                    "vite.config.js",
                    "/* a\n outDir: 'a'\n*/\nx: ['a/*', 'https://a'], // outDir: 'b'\n build: { outDir: 'www' }, y: 'b*/'",
                )],
                "Vite",
                "www",
            ),
            (&[("astro.config.mjs", "outDir: './www',")], "Astro", "www"),
            (&[("package.json", react)], "Create React App", "build"),
            (&[("package.json", cra)], "Create React App", "www"),
            (
                &[("package.json", react), (".env", "BUILD_PATH=./www\n")],
                "Create React App",
                "www",
            ),
            (&[("angular.json", angular)], "Angular", "dist/app/browser"),
            (&[("angular.json", angular_base)], "Angular", "www"),
            (&[("angular.json", angular_old)], "Angular", "www"),
            (
                &[("next.config.js", "output: 'export', distDir: 'www'")],
                "Next.js",
                "www",
            ),
            (&[("next.config.mjs", "distDir: 'www'")], "Next.js", "out"),
            (&[("nuxt.config.ts", "")], "Nuxt", ".output/public"),
            (
                &[("package.json", kit), ("svelte.config.js", "pages: 'www'")],
                "SvelteKit",
                "www",
            ),
            (
                &[(".eleventy.js", "dir: { input: 'a', output: 'www' }")],
                "Eleventy",
                "www",
            ),
            (
                &[("eleventy.config.js", "c.setOutputDirectory('www')")],
                "Eleventy",
                "www",
            ),
            (
                &[("website/docusaurus.config.ts", "")],
                "Docusaurus",
                "website/build",
            ),
            (
                &[("docs/.vitepress/config.mts", "")],
                "VitePress",
                "docs/.vitepress/dist",
            ),
            (
                &[("docs/.vitepress/config.mts", "outDir: '../www'")],
                "VitePress",
                "www",
            ),
            (&[("mkdocs.yml", "site_dir: www\n")], "MkDocs", "www"),
            (&[("mkdocs.yaml", "site_dir: www\n")], "MkDocs", "www"),
            (
                &[("book.toml", "[build]\nbuild-dir = \"www\"\n")],
                "mdBook",
                "www",
            ),
            (
                &[("pelicanconf.py", "OUTPUT_PATH = 'www/'\n")],
                "Pelican",
                "www",
            ),
            (
                &[("docs/conf.py", "project = 'a'\n")],
                "Sphinx",
                "docs/_build/html",
            ),
            (
                &[("_quarto.yml", "project:\n  output-dir: www\n")],
                "Quarto",
                "www",
            ),
            (&[("package.json", vue)], "Vue CLI", "dist"),
            (&[("config.yml", "baseURL: /\n")], "Hugo", "public"),
            (
                &[("package.json", react), (".env.local", "BUILD_PATH=www")],
                "Create React App",
                "www",
            ),
            (
                &[
                    ("package.json", "{\"workspaces\": [\"apps/*\"]}"),
                    (
                        "apps/web/vite.config.mts",
                        "build: { outDir: 'www' } // 'x'",
                    ),
                ],
                "Vite",
                "apps/web/www",
            ),
            (
                &[
                    ("docs/mkdocs.yml", ""),
                    ("packages/a/angular.json", angular),
                ],
                "MkDocs",
                "docs/site",
            ),
        ];
        for (files, generator, folder) in cases {
            let project = project(files);
            let first = expected_builds(project.path()).into_iter().next();
            let first = first.map(|build| (build.generator, build.folder));
            let expected = (*generator, (*folder).to_owned());
            assert_eq!(first, Some(expected), "{files:?}");
        }
    }

    #[test]
    fn public_is_source_where_a_generator_writes_elsewhere() {
        for mark in [
            ("vite.config.js", ""),
            ("astro.config.mjs", ""),
            ("angular.json", "{}"),
            ("next.config.js", ""),
            (
                "package.json",
                "{\"dependencies\": {\"react-scripts\": \"5\"}}",
            ),
        ] {
            let files = [mark, ("public/index.html", ""), ("public/favicon.ico", "")];
            let project = project(&files);
            assert_eq!(build_folders(project.path()), [""; 0], "{mark:?}");
        }
        let unknown = project(&[("public/index.html", "")]);
        assert_eq!(build_folders(unknown.path()), ["public"]);
        let by_hand = project(&[("public/index.html", ""), ("docs/mkdocs.yml", "")]);
        assert_eq!(build_folders(by_hand.path()), ["public"]);
        let hexo = project(&[
            ("package.json", &dependency("hexo")),
            ("_config.yml", "public_dir: dist\n"),
            ("public/index.html", ""),
            ("dist/index.html", ""),
        ]);
        assert_eq!(build_folders(hexo.path()), ["dist"]);
    }

    #[test]
    fn what_has_a_page_comes_first_and_once() {
        let project = project(&[
            ("nuxt.config.ts", ""),
            (".output/public/", ""),
            ("dist/index.html", ""),
            ("build/main.o", ""),
        ]);
        let folders = build_folders(project.path());
        assert_eq!(folders, ["dist", ".output/public"]);
    }
}
