"""File names by type, for searches without ripgrep: the types that models ask for, with ripgrep's meaning."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NAMES_BY_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "c": "*.{[chH],[chH].in,cats}",
        "cmake": "{*.cmake,CMakeLists.txt}",
        "config": "*.{cfg,conf,config,ini}",
        "cpp": "*.{[ChH],[ChH].in,[ch]pp,[ch]pp.in,[ch]xx,[ch]xx.in,cc,cc.in,hh,hh.in,inl}",
        "cs": "*.cs",
        "csharp": "*.cs",
        "css": "*.{css,scss}",
        "cython": "*.{pxd,pxi,pyx}",
        "dart": "*.dart",
        "docker": "*Dockerfile*",
        "elixir": "*.{eex,ex,exs,heex,leex,livemd}",
        "go": "*.go",
        "h": "*.{h,hh,hpp}",
        "haskell": "*.{c2hs,cpphs,hs,hsc,lhs}",
        "html": "*.{ejs,htm,html}",
        "java": "*.{java,jsp,jspx,properties}",
        "js": "*.{cjs,js,jsx,mjs,vue}",
        "json": "{*.json,*.sarif,composer.lock}",
        "jsonl": "*.jsonl",
        "kotlin": "*.{kt,kts}",
        "lua": "*.lua",
        "make": "{*.mak,*.mk,Makefile.*,[Gg][Nn][Uu]makefile,[Mm]akefile,[Mm]akefile.{am,in}}",
        "markdown": "*.{markdown,md,mdown,mdwn,mdx,mkd,mkdn}",
        "md": "*.{markdown,md,mdown,mdwn,mdx,mkd,mkdn}",
        "perl": "*.{PL,perl,pl,plh,plx,pm,t}",
        "php": "*.{php,php3,php4,php5,php7,php8,pht,phtml}",
        "proto": "*.proto",
        "protobuf": "*.proto",
        "py": "*.{py,pyi}",
        "python": "*.{py,pyi}",
        "r": "*.{R,Rmd,Rnw,r,rmd,rnw}",
        "ruby": "{*.gemspec,*.rake,*.rb,*.rbw,.irbrc,Gemfile,Rakefile,config.ru}",
        "rust": "*.rs",
        "scala": "*.{sbt,scala}",
        "sh": "{*.{bash,bashrc,csh,cshrc,env,ksh,kshrc,sh,tcsh,zsh},"
        ".{bash_login,bash_logout,bash_profile,bashrc,cshrc,env,kshrc,login,logout,profile,zprofile,zshenv,zshrc},"
        "bash_login,bash_logout,bash_profile,bashrc,profile,zshenv,zshrc}",
        "sql": "*.{psql,sql}",
        "svelte": "*.{svelte,svelte.ts}",
        "swift": "*.swift",
        "tf": "*.{tf,tf.json,tfvars,tfvars.json}",
        "toml": "{*.toml,Cargo.lock}",
        "ts": "*.{cts,mts,ts,tsx}",
        "txt": "*.txt",
        "vue": "*.vue",
        "xml": "*.{dtd,rng,sch,xhtml,xjb,xml,xml.dist,xsd,xsl,xslt}",
        "yaml": "*.{yaml,yml}",
        "zig": "*.zig",
    }
)
