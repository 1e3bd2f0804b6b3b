use super::*;

#[test]
fn names_with_a_hash_are_fingerprinted() {
    for key in [
        // webpack: Create React App, Vue CLI, Docusaurus, MkDocs Material, Storybook
        "static/js/main.8f3a2b1c.js",
        "static/js/123.8f3a2b1c.chunk.js",
        "static/css/main.e6c13ad2.chunk.css",
        "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
        "static/media/9f1c2d3e4b5a69788706.woff2",
        "js/chunk-vendors.0f7a4d3b.js",
        "img/logo.82b9c7a5.png",
        "assets/js/01a85c17.ffe80b86.js",
        "assets/js/2063472f.faaa0101.js",
        "assets/js/174.1cc92fcf.js",
        "assets/js/runtime~main.184ea56d.js",
        "assets/js/main.1428f481.js.LICENSE.txt",
        "assets/css/styles.1f4b63cb.css",
        "assets/images/x-0123456789abcdef0123.png",
        "assets/images/docusaurus-social-card-1a7f3e5d9c2b4f60817263544536271a.png",
        "assets/javascripts/bundle.1e8ae164.min.js",
        "assets/javascripts/workers/search.208ed371.min.js",
        "assets/stylesheets/palette.06af60db.min.css",
        "main.0c5b7d8e.iframe.bundle.js",
        "precache-manifest.28cd0e4b6ef2b6d1f8a8e2cbd3a7e5f1.js",
        "main.8f3a2b1c4d5e6f70.js",
        // Vite, Rollup, VitePress, Astro, SvelteKit, Nuxt
        "assets/index-DiwrgTda.js",
        "assets/Card-C7I-YeB4.js",
        "assets/Card-Db7ptjO_.js",
        "assets/Possible--PZp90RH.css",
        "assets/index-BEu5gne8.js.map",
        "assets/fig-0-Bc0AJmxD.png",
        "assets/sql-wasm-CXIAVl5-.wasm",
        "assets/index.4f1a0c9e.js",
        "assets/app.BvW0hTNW.js",
        "assets/chunks/theme.C2rLY_YG.js",
        "assets/chunks/popover-trigger.CLx1c9De.js",
        "assets/en_index.md.db6aa246.lean.js",
        "assets/inter-roman-latin.Di8DUHzh.woff2",
        "_astro/x.AbC123_-.css",
        "_astro/common.CQ2eGxR-.css",
        "_astro/logo-full.D8zRvqBZ.svg",
        "_astro/posts-hero.BW95FD7l.jpg",
        "_astro/about.BW95FD7l_1zNb9S.webp",
        "_app/immutable/chunks/XVztU-V4.js",
        "_app/immutable/entry/start.gLO-ZyJK.js",
        "_app/immutable/chunks/0.34be0ae1.js",
        "_nuxt/BxPxCzdd.js",
        "_nuxt/entry.b7f9c0a4.css",
        // Next
        "_next/static/9mZwqBCnTgpeDf8YuxLCW/_buildManifest.js",
        "_next/static/chunks/framework-4ed89e9640adfb9e.js",
        "docs/_next/static/media/a34f9d1faa5f3315-s.p.woff2",
        "framework-f94ecef82a588b2f.js",
        "_app-05f3510007f8ee45.js",
        "fd9d1056-7d9b70e9456442b8.js",
        // Gatsby
        "webpack-runtime-a9af7e924608a1852679.js",
        "component---src-pages-index-js-364c7fe60258a734525e.js",
        "styles.206e68b0c97b4c527066.css",
        "static/6ce24c58023cc2f8fd88fe9d219db6c6/5f3d9/photo.jpg",
        // esbuild, Angular, Remix
        "chunk-QWRTYPSD.js",
        "assets/main-5XQ7VJ2K.js",
        // Hugo, Sprockets, Django, Phoenix, Trunk
        "style.min.09c5bb8dc5e1d6a2bd4a7bcbd5a1a6b5d9f2f0a7b3c4d5e6f708192a3b4c5d6e.css",
        "posts/photo_hu_8f3a2b1c4d5e6f70.webp",
        "posts/photo_hu8f3a2b1c4d5e6f708192a3b4c5d6e7f8_12345_600x0_resize_q75_box.jpg",
        "base.55e7cbb9ba48.css",
        "app-5f4dcc3b5aa765d61d8327deb882cf99.css",
        "yew-app-a1b2c3d4e5f6a7b8_bg.wasm",
        // mdBook, rustdoc, Workbox, Parcel
        "book-a0b12cfe.js",
        "elasticlunr-ef4e11c1.min.js",
        "favicon-8114d1fc.png",
        "FontAwesome/css/font-awesome-799aeb25.css",
        "static.files/rustdoc-ca0dd0c4.css",
        "static.files/rust-logo-9a9549ea.svg",
        "workbox-5ffe50d4.js",
        "index.2d8f4b1c.js",
        "main.8f3a2b1c.js.gz",
    ] {
        assert!(is_fingerprinted(key), "{key}");
    }
}

#[test]
fn names_that_only_look_like_it_are_not() {
    for key in [
        "",
        ".",
        "a.",
        ".js",
        ".map",
        "index.html",
        "8f3a2b1c.html",
        "assets/index-DiwrgTda.html",
        "about.8f3a2b1c4d5e6f70",
        // Dates, numbers, versions
        "report-20240101.pdf",
        "report-8f3a2b1c.pdf",
        "IMG_20240101.jpg",
        "IMG-20240101-WA0001.jpg",
        "assets/photo-20240101.jpg",
        "assets/js/app-20240101.js",
        "app.20240101.js",
        "photo-1699999999.jpg",
        "jquery-3.7.1.min.js",
        "bootstrap-5.3.3.bundle.min.js",
        "js/d3.v7.min.js",
        "archive-2024.js",
        "assets/img/1200x630.png",
        // Words of hex letters, colours
        "facade01.png",
        "assets/facade01.js",
        "decade-feedface.js",
        "assets/cafe-deadbeef.css",
        "cafe-babe.html",
        "defaced.js",
        "assets/js/effaced.js",
        "css/main-accede42.css",
        "assets/main.decade20.css",
        "swatch-1a2b3c4d.png",
        // Words in mixed case, shouted or numbered
        "photo-Mountain.jpg",
        "assets/photo-Mountain.jpg",
        "assets/docs-Overview.js",
        "assets/docs-MyAppFoo.js",
        "assets/docs-Chapter1.js",
        "assets/docs-REPORT24.js",
        "assets/docs-OVERVIEW.css",
        "assets/v2Final3.js",
        "assets/docs-v2Final3.js",
        "assets/photo-iPhone15.jpg",
        "assets/DSCF1234.jpg",
        "MyDocument.js",
        "js/My-Document.js",
        "docs-README.css",
        "assets/lib-iOS-App1.js",
        "assets/my-component.js",
        "assets/js/main.production.js",
        // Somebody's ids
        "550e8400-e29b-41d4-a716-446655440000.jpg",
        "assets/550e8400-e29b-41d4-a716-446655440000.js",
        "avatars/d41d8cd98f00b204e9800998ecf8427e.png",
        "uploads/photo-Bc0AJmxD.jpg",
        "uploads/dQw4w9WgXcQ.jpg",
        // Downloads, data, feeds, workers
        "unstale-1.0.0-8f3a2b1c.tar.gz",
        "data.8f3a2b1c.json",
        "feed-8f3a2b1c.xml",
        "sw.js",
        "_nuxt/builds/latest.json",
        "_next/static/chunks/page.html",
        "js/jquery-3.6.4.min.js",
        "search-worker.js",
        "posts/a~b/그림 1.png",
        "files/한글-NFD-é.txt",
        "assets/네트워크.js",
    ] {
        assert!(!is_fingerprinted(key), "{key}");
    }
}

proptest::proptest! {
    #[test]
    fn no_name_is_too_odd(key in "(?s).{0,60}", tail in "[-._A-Za-z0-9é]{0,20}") {
        is_fingerprinted(&key);
        is_fingerprinted(&format!("assets/x-{tail}.js"));
        is_fingerprinted(&format!("_astro/{key}.{tail}.css"));
    }

    #[test]
    fn no_page_is_fingerprinted(stem in "[-._/A-Za-z0-9]{0,40}") {
        let page = format!("{stem}.html");
        proptest::prop_assert!(!is_fingerprinted(&page));
    }
}

/// The hashes of a Vite site's nine builds.
const VITE: &str = "\
    -PZp90RH 0zk28fjw 1EKDet56 1ZZpN59w 2jWBkNu_ 39gGV4pq 8_bZVxnP 9ZkFvsh3 Ahu7gy99 B5hcixky B6v2tSv8 \
    BA8kir-T BBMXQEE_ BBleEet7 BD2OHmpx BELkkyhC BEOnpqA3 BEPz4eDW BEu5gne8 BFPyzYii BGHSaC-P BJSi-fGG \
    BKRvRVbp BKwrUmX1 BM6wwnUE BPaLcsc- BRMkd7E1 BSd8UV6O BU0EGo2- BUs7-_XH BXDUd7Ax BXNn-b_S BY5R0Zp7 \
    BYfC2TUq BZMjbYZK B_GcBiGS BaNRWQtU BaZrKFRf BbIrh80x BbieFAWn Bc0AJmxD Bc3sUB5v Bf3HUUyv Bg-LGD4t \
    Bg2Z0vM5 BgSUqf3g BhACYvOX BhN1TL_T BhuJYCRp BhwVL65J Bi5R2epb BkV8IrSz BmPYTiky BnPRMlEE Bo1_2Ii0 \
    Bp0sZZ4q Br1Ja5YQ BrsXlw7G BsG8Sctw Bv2j-hO0 Bv4SZrM_ BvLnRl7f BvQJAYjp BvgPoRsI BwE1X0ZM BxVRcut4 \
    BxrOV4w1 By2pC5aI ByXgS2Lh ByaBEPSz C-vvDUNv C-wP5H-7 C0aWBaac C1bsUfXO C1ldNVD8 C2LmOX7j C3SPMGwR \
    C3mSQGbe C3zTcEz- C7I-YeB4 C8lXREM_ C9Zcf5HF C9tvx9un CAlqkHFF CAyEOjor CCfqixh- CDzP41o1 CFQ53ed1 \
    CGe4g_G1 CGjcviMA CGwHkihX CHk6qBy_ CLtPxLvF CM6wD7rc CMzKvUW4 COq5A4lF CPzDy9k0 CRLE3QFO CSRhD-IF \
    CTXUXyL9 CUM0QDa1 CV7j81gc CVf4KRMW CVlSk_Xh CXIAVl5- CZz08ZBi C_BfxN7P CaIHBD4w CacM8EnD Cb1gU6lf \
    Cb4rv_J1 CbXmP3Ld CcybVEYX CdwAVjpV Ch8W09Zh CiL5fpe8 CiNkR1wy CkkM0Lsm CkkOXYEE ClOdvqlU CmvDhwro \
    CnouRbUs CoF8Arj4 Cp4kL2gy CpbUnlp4 CqtxNYGN Ct2feBgH CwYNKd9u Cwqt9-fs CxIjNbf2 CyB6cLuK D0LMEM-f \
    D2fBBoSe D3lTKRs6 D51erSVI D5zJHeLt D9d07Pxl DAlCAGC8 DAlLGZhZ DB4SG9-z DBpmwfrR DD9UaBXG DE-EitOw \
    DEAbr2Zx DEfx2QgZ DEi14Ld_ DEopSR9s DFMMDfrA DHGjcoUO DHIaEAtC DHctcBoK DI-YW3yO DIUUNMEo DLZyYO1E \
    DLcVhtsh DN1k_wL9 DNe3kjuY DOGm3jgS DOe-9-oZ DQ8b71QG DRgc-jF0 DRmjMOMv DSpeEqTw DSqHEOAM DVXjlTlf \
    DXuPCPZs DYimJEa8 DZEL0ULE DZlRheRl DapHnRe7 Db7ptjO_ DbUyiE4m Dh5onhGK DjO505Rp Djbuzbpe Dkk_32hV \
    DlifpLNt Dme-HOt4 DnARJpXs Do1PGaqQ DoeVjik1 Dop36M68 DpzsUhPW DrT6JOCU DsBLboyw DuLqu1fy DuoDcBna \
    DvwKIXqc DwD4sE0O DwoEfeTt DxxHj3Lj Erpd5nPZ F5d2TUeO H7Prqyuc IAgQr-wY IPG1uNJr K_fRYkI_ ObA6A9e5 \
    Ol98CWCa Ozi1umb3 PAyjm5Dq TIWb3lHR UDoU7cPI VPUXZhW3 X9gMbvUV Z0iMXERy ZP3xP8cE _IwbmAlX aV_yPKL2 \
    aolanifE azr8gUJ0 b4HI2Rk4 bdZAPm-K cu1Uwmg3 d5BMLusJ e8OQTJSe eGOUtqAW fWXVESmz gz0hHp-m j9XCZ8Nw \
    jfUFOPd2 kN17mf7Q lTN66Msa lqdLD5rm mOgQ9AJK mg1XKPZ9 mmvis1Li nT1pM9Mb nsFWR67Q p7ACqHzN qN-SOjSo \
    r9nG5lkb s2nY3f2F t_fTf2el uZ3sFuN7 vUwrXizK yM_7wYZo yQovwAS2 \
";

/// The names of a Docusaurus site's scripts, over nine builds.
const DOCUSAURUS: &str = "\
    01a85c17.ffe80b86 02275706.7647be9e 029bbdab.0b58f243 075ba320.d76a8731 08af526d.918d13bd \
    08f73827.bb2fefcb 11b43341.0d9850ef 11b43341.10f0cf29 11b43341.31a18d94 11b43341.3cb73dd1 \
    1559598f.fd4c2b14 174.1cc92fcf 17896441.5d75504d 1a541bcb.e92e836d 1b68053b.13694a81 1c0adb58.07062808 \
    1d08290f.48fabb01 1f391b9e.2a8959e4 1f6e85f2.5aeb8a8b 1fcadcc3.985edcc1 2063472f.faaa0101 2237.3ad9468a \
    22566044.368ac39f 26d177a0.5459f554 27f8d629.d6c66502 28ce4028.4e648cfa 29352888.70747c41 \
    2a205406.36410b65 2bee68d9.29453a63 33435b2d.0c4b08bf 33889f7c.88e96dc2 346a0c19.bdecb58b \
    34a11f29.1b21de05 36994c47.04c25957 3767.cf907932 3d1ba240.3666b15f 42c6f63c.cda3170c 45e2ccc2.eea7f98d \
    4a934cf7.e4c63a47 4c934a50.4867071f 4d56c0ea.d8766172 536b74cc.d10f9a73 58380309.e8871062 \
    586f6e0e.7490424a 59c34fdf.8aa5bc69 5a8ee266.4410f84c 5b8e9f93.f232cc02 5d97b379.0e0dea46 \
    5e95c892.a2733d8e 60e842ed.0f067111 65113d35.967bab88 65113d35.fc956045 675b5fa0.0666e590 \
    675b5fa0.d2ec60ef 6875c492.c3e639dd 6da5b41e.1c28d14b 720d96fa.4d57641a 7309a121.279c490f \
    7309a121.c4687a26 7b3cd849.616bbced 7ca907ed.5e2907ca 7fefb8ff.299bc919 814f3328.c959ca07 \
    81bc0776.dc4260db 8bb9743e.497249f1 8cbf6e85.895a14df 8f925e4e.e652b191 92e9bca4.b6dde1b0 \
    96410d97.567092e3 96c225fe.324571c1 97666434.ff8c0437 9dba8b6b.255c32a2 9dba8b6b.4fe33a24 \
    9e4087bc.38b3a11c a383049c.8a9fd17e a41ace60.a3f1bb48 a4dfa9cc.e98220f4 a5192db7.3bcd3df6 \
    a5a3466a.e281afa7 a6aa9e1f.934c5103 a6bc5be4.8bce80f6 a6bc5be4.f57fdb78 a72c895a.4abfcab0 \
    a72c895a.72cd1c91 a7456010.1c975098 a7bd4aaa.71825a68 a8cb41b5.e77801bf a94703ab.1cf624a3 \
    ab759588.d1d8b358 aba21aa0.06048bc9 acecf23e.0e67c135 ad531546.a21ae35d ae33b2f3.df4c3f70 \
    b4e70857.3ec543c3 b5c0fd69.a9dd7212 b61d18d3.b6940d8d b93a91b8.1cdd0c4b b9b643e1.036b42f6 \
    c4840f21.eb5c06b5 c8eb4934.04d28bc1 c98c7ce2.4b0182ae cc5f266e.90040ecf ccc49370.1d247e35 \
    cdfa5ec4.2a15ae61 d581c7fa.8dd0a04f d625cae2.307079a7 d625cae2.44e290b7 dbfc4782.5c305112 \
    de2e5741.522cd830 e3009d91.0035b8eb e7009466.23edde1b e8249f5c.2f3a2445 ea70c07d.6b76f63a \
    f10eea2e.042d8588 f23a7ec8.c538f23d f3753b5f.7092e710 f3976560.0f77933e fc9ab521.12195f2e \
    fd4c16be.9c955d17 fe4fda66.f8b791fe ffc1238e.67a75bc3 main.1428f481 main.4e4742dc main.91b7eae8 \
    main.9385f0c8 main.c61245b1 runtime~main.184ea56d runtime~main.2ac20967 runtime~main.4fc0ea59 \
    runtime~main.51c2fca4 runtime~main.efdad2a9 \
";

#[test]
fn nearly_every_name_of_real_builds_is_found() {
    let missed = |names: &'static str, key: fn(&str) -> String| {
        let missed = names
            .split_whitespace()
            .filter(|name| !is_fingerprinted(&key(name)));
        missed.collect::<Vec<_>>().join(" ")
    };
    // What reads like words or acronyms is left out, at the cost of a path each.
    assert_eq!(
        missed(VITE, |hash| format!("assets/name-{hash}.js")),
        "1EKDet56 BBleEet7 Ct2feBgH DapHnRe7 Dop36M68 aolanifE mmvis1Li"
    );
    assert_eq!(
        missed(DOCUSAURUS, |name| format!("assets/js/{name}.js")),
        "1c0adb58.07062808"
    );
}
