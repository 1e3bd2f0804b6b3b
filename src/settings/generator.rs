//! Where a project's build is, by its generator's files and settings. Looks at the disk. Each row is as the generator's own
//! documentation says.

use std::path::{Component, Path, PathBuf};

use regex::Regex;
use serde_json::Value;

/// A generator of sites: what shows that a project uses it, and where its build goes.
struct SiteGenerator {
    name: &'static str,
    /// Files, and what one of them holds; empty: anything.
    marks: &'static [(&'static str, &'static str)],
    settings: &'static [OutputSetting],
    /// Where it writes unless it is told otherwise.
    defaults: &'static [&'static str],
}

/// What tells a generator where to write. A file's name may end in `.*`, for all endings of scripts.
enum OutputSetting {
    /// A key of a file.
    Key(&'static str, &'static str),
    /// A key whose folder is relative to the one that another key, the first, names.
    Below(&'static str, &'static str, &'static str),
    /// All projects of an angular.json.
    Angular,
}

use OutputSetting::{Angular, Below, Key};

const SCRIPTS: [&str; 6] = ["js", "mjs", "cjs", "ts", "mts", "cts"];

/// Those that are built on others come before them.
const GENERATORS: &[SiteGenerator] = &[
    SiteGenerator {
        name: "Hexo",
        marks: &[("package.json", "\"hexo\":")],
        settings: &[Key("_config.yml", "public_dir")],
        defaults: &["public"],
    },
    SiteGenerator {
        name: "Hugo",
        marks: &[
            ("hugo.toml", ""),
            ("hugo.yaml", ""),
            ("hugo.json", ""),
            ("config/_default/hugo.toml", ""),
            ("config/_default/hugo.yaml", ""),
            ("config/_default/config.toml", ""),
            ("config/_default/config.yaml", ""),
            ("config.toml", "baseurl"),
            ("config.yaml", "baseurl"),
            ("config.json", "baseurl"),
        ],
        settings: &[
            Key("hugo.toml", "publishDir"),
            Key("hugo.yaml", "publishDir"),
            Key("hugo.json", "publishDir"),
            Key("config/_default/hugo.toml", "publishDir"),
            Key("config/_default/hugo.yaml", "publishDir"),
            Key("config/_default/config.toml", "publishDir"),
            Key("config/_default/config.yaml", "publishDir"),
            Key("config.toml", "publishDir"),
            Key("config.yaml", "publishDir"),
            Key("config.json", "publishDir"),
        ],
        defaults: &["public"],
    },
    SiteGenerator {
        name: "Zola",
        marks: &[("config.toml", "base_url")],
        settings: &[Key("config.toml", "output_dir")],
        defaults: &["public"],
    },
    SiteGenerator {
        name: "Gatsby",
        marks: &[("package.json", "\"gatsby\":")],
        settings: &[],
        defaults: &["public"],
    },
    SiteGenerator {
        name: "Jekyll",
        marks: &[("_config.yml", "")],
        settings: &[Key("_config.yml", "destination")],
        defaults: &["_site"],
    },
    SiteGenerator {
        name: "Eleventy",
        marks: &[
            (".eleventy.js", ""),
            ("eleventy.config.*", ""),
            ("package.json", "\"@11ty/eleventy\":"),
        ],
        settings: &[
            Key("eleventy.config.*", "setOutputDirectory"),
            Key("eleventy.config.*", "output"),
            Key(".eleventy.js", "output"),
        ],
        defaults: &["_site"],
    },
    SiteGenerator {
        name: "Docusaurus",
        marks: &[("docusaurus.config.*", "")],
        settings: &[],
        defaults: &["build"],
    },
    SiteGenerator {
        name: "VitePress",
        marks: &[(".vitepress/config.*", "")],
        settings: &[Key(".vitepress/config.*", "outDir")],
        defaults: &[".vitepress/dist"],
    },
    SiteGenerator {
        name: "VuePress",
        marks: &[(".vuepress/config.*", "")],
        settings: &[Key(".vuepress/config.*", "dest")],
        defaults: &[".vuepress/dist"],
    },
    SiteGenerator {
        name: "MkDocs",
        marks: &[("mkdocs.yml", "")],
        settings: &[Key("mkdocs.yml", "site_dir")],
        defaults: &["site"],
    },
    SiteGenerator {
        name: "mdBook",
        marks: &[("book.toml", "")],
        settings: &[Key("book.toml", "build-dir")],
        defaults: &["book", "book/html"],
    },
    SiteGenerator {
        name: "Pelican",
        marks: &[("pelicanconf.py", "")],
        settings: &[Key("pelicanconf.py", "OUTPUT_PATH")],
        defaults: &["output"],
    },
    SiteGenerator {
        name: "Sphinx",
        marks: &[("conf.py", ""), ("source/conf.py", "")],
        settings: &[],
        defaults: &["_build/html", "build/html"],
    },
    SiteGenerator {
        name: "Quarto",
        marks: &[("_quarto.yml", "")],
        settings: &[Key("_quarto.yml", "output-dir")],
        defaults: &["_site", "_book"],
    },
    SiteGenerator {
        name: "Astro",
        marks: &[("astro.config.*", ""), ("package.json", "\"astro\":")],
        settings: &[Key("astro.config.*", "outDir")],
        defaults: &["dist"],
    },
    SiteGenerator {
        name: "Next.js",
        marks: &[
            ("next.config.*", "'export'"),
            ("next.config.*", "\"export\""),
        ],
        settings: &[Key("next.config.*", "distDir")],
        defaults: &["out"],
    },
    SiteGenerator {
        name: "Next.js",
        marks: &[("next.config.*", ""), ("package.json", "\"next\":")],
        settings: &[],
        defaults: &["out"],
    },
    SiteGenerator {
        name: "Nuxt",
        marks: &[("nuxt.config.*", "")],
        settings: &[],
        defaults: &[".output/public", "dist"],
    },
    SiteGenerator {
        name: "SvelteKit",
        marks: &[("package.json", "\"@sveltejs/kit\":")],
        settings: &[Key("svelte.config.*", "pages")],
        defaults: &["build"],
    },
    SiteGenerator {
        name: "Angular",
        marks: &[("angular.json", "")],
        settings: &[Angular],
        defaults: &["dist"],
    },
    SiteGenerator {
        name: "Create React App",
        marks: &[("package.json", "\"react-scripts\":")],
        settings: &[
            Key("package.json", "BUILD_PATH"),
            Key(".env.production", "BUILD_PATH"),
            Key(".env", "BUILD_PATH"),
        ],
        defaults: &["build"],
    },
    SiteGenerator {
        name: "Vue CLI",
        marks: &[("package.json", "\"@vue/cli-service\":")],
        settings: &[Key("vue.config.*", "outputDir")],
        defaults: &["dist"],
    },
    SiteGenerator {
        name: "Vite",
        marks: &[("vite.config.*", ""), ("package.json", "\"vite\":")],
        settings: &[Below("vite.config.*", "root", "outDir")],
        defaults: &["dist"],
    },
];

/// Where a project may keep its site.
const PROJECTS: [&str; 3] = ["", "docs", "website"];

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

/// A build that a project's generator writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedBuild {
    pub generator: &'static str,
    /// Relative to the project, where it is not absolute.
    pub folder: String,
}

/// Finds where the generators of a project write, whether it was built or not. `project` may be empty for the current folder.
pub(crate) fn expected_builds(project: &Path) -> Vec<ExpectedBuild> {
    let mut builds = Vec::new();
    for inner in PROJECTS {
        let folder = project.join(inner);
        let known = |generator: &&SiteGenerator| generator.is_used(&folder);
        for generator in GENERATORS.iter().filter(known) {
            let outputs = generator.outputs(&folder).into_iter();
            builds.extend(outputs.map(|output| ExpectedBuild {
                generator: generator.name,
                folder: normalized(&Path::new(inner).join(output)),
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
    let usual = usual.filter(|folder| expected.is_empty() || folder != "public");
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
        let mut marks = self.marks.iter();
        marks.any(|(file, held)| {
            let mut texts = texts(project, file).into_iter();
            texts.any(|text| held.is_empty() || text.to_lowercase().contains(held))
        })
    }

    /// Returns the folders that it writes, relative to the project.
    fn outputs(&self, project: &Path) -> Vec<String> {
        for setting in self.settings {
            let folders = match setting {
                Key(file, key) => literal(project, file, key).into_iter().collect(),
                Below(file, base, key) => self.below(project, file, (base, key)),
                Angular => angular_outputs(project),
            };
            if !folders.is_empty() {
                return folders;
            }
        }
        self.defaults.iter().map(|&folder| folder.into()).collect()
    }

    fn below(&self, project: &Path, file: &str, (base, key): (&str, &str)) -> Vec<String> {
        let base = literal(project, file, base).unwrap_or_default();
        let folder = literal(project, file, key);
        let defaults = self.defaults.iter().map(|&folder| folder.to_owned());
        let folders = folder.map_or_else(|| defaults.collect(), |folder| vec![folder]);
        let folders = folders.into_iter();
        let folders = folders.map(|folder| Path::new(&base).join(folder).display().to_string());
        folders.collect()
    }
}

/// Reads the files of a name that are there.
fn texts(project: &Path, file: &str) -> Vec<String> {
    let names = match file.strip_suffix(".*") {
        Some(stem) => SCRIPTS.map(|ending| format!("{stem}.{ending}")).to_vec(),
        None => vec![file.to_owned()],
    };
    let texts = names
        .into_iter()
        .map(|name| std::fs::read_to_string(project.join(name)));
    texts.filter_map(Result::ok).collect()
}

/// Returns the text that a key is given in a file: in TOML, YAML, JSON, an .env file, or where a script spells it out.
fn literal(project: &Path, file: &str, key: &str) -> Option<String> {
    let bare = [".yml", ".yaml", "package.json"];
    let bare = file.starts_with(".env") || bare.iter().any(|ending| file.ends_with(ending));
    let bare = if bare {
        r#"|([^\s"'`,;#(){}\[\]]+)"#
    } else {
        ""
    };
    let key = regex::escape(key);
    let value = format!(r#"(?:"([^"]+)"|'([^']+)'|`([^`]+)`{bare})"#);
    let assigned = format!(r#"(?i)(?:^|[\s{{,("'`.]){key}["'`]?\s*[:=(]\s*{value}"#);
    let assigned = Regex::new(&assigned).ok()?;
    let is_comment = |line: &&str| {
        let line = line.trim_start();
        ["#", "//", "*", "/*"]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let texts = texts(project, file);
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    // What is indented in YAML may be another key of that name.
    let outer = lines.iter().filter(|line| !line.starts_with([' ', '\t']));
    let mut lines = outer
        .chain(&lines)
        .copied()
        .filter(|line| !is_comment(line));
    let value = lines.find_map(|line| {
        let groups = assigned.captures(line)?;
        let value = groups.iter().skip(1).flatten().next()?;
        Some(value.as_str().to_owned())
    });
    value.filter(|value| !value.contains(['$', '%', '<']))
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
            match name.ends_with('/') {
                true => fs::create_dir_all(path).unwrap(),
                false => fs::write(path, text).unwrap(),
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
                &[("vite.config.js", "outDir: path.join(a, 'b')")],
                "Vite",
                "dist",
            ),
            (&[("vite.config.js", "outDir: `${a}/b`")], "Vite", "dist"),
            (&[("package.json", &dependency("vite"))], "Vite", "dist"),
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
        ];
        for (files, generator, folder) in cases {
            let project = project(files);
            let first = expected_builds(project.path()).into_iter().next();
            let expected = ExpectedBuild {
                generator,
                folder: (*folder).to_owned(),
            };
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
