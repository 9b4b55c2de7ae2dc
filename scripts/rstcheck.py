#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Usage: rstcheck.py FILE...

Says what docutils finds wrong in reStructuredText, one message a line. The
directives and roles that Sphinx and the kernel add are let pass unread.
"""
import re
import sys

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.utils import Reporter

DIRECTIVES = ('toctree', 'kernel-doc', 'kernel-include', 'kernel-figure', 'flat-table',
              'c:function', 'c:type', 'c:struct', 'c:macro', 'versionadded', 'only',
              'index', 'code-block', 'literalinclude', 'highlight', 'seealso')
ROLES = ('doc', 'ref', 'c:func', 'c:type', 'c:struct', 'c:macro', 'manpage', 'term',
         'abbr', 'cspan', 'rspan')


class Anything(Directive):
    has_content = True
    optional_arguments = 100
    final_argument_whitespace = True

    class AnyOption(dict):
        def __contains__(self, key):
            return True

        def __getitem__(self, key):
            return directives.unchanged

    option_spec = AnyOption(any=directives.unchanged)

    def run(self):
        return []


def anything(name, rawtext, text, lineno, inliner, options=None, content=None):
    return [nodes.literal(rawtext, text)], []


class Silent:
    def write(self, text):
        pass


def main(names):
    if not names or names[0] in ('-h', '--help'):
        print(__doc__)
        return 0
    for name in DIRECTIVES:
        directives.register_directive(name, Anything)
    for name in ROLES:
        roles.register_local_role(name, anything)
    found = 0
    for name in names:
        with open(name, encoding='utf-8') as f:
            text = f.read()
        tree = publish_doctree(text, source_path=name, settings_overrides={
            'report_level': Reporter.INFO_LEVEL, 'halt_level': 5, 'warning_stream': Silent(),
            'file_insertion_enabled': False, 'input_encoding': 'unicode'})
        # Messages hang in the tree or, when of the parser, beside it
        for m in dict.fromkeys([*tree.findall(nodes.system_message), *tree.parse_messages,
                                *tree.transform_messages]):
            text = re.sub(r'\s+', ' ', m.astext())
            if m['level'] < Reporter.WARNING_LEVEL or 'file insertion disabled' in text:
                continue
            print(f'{name}:{m.get("line", 1)}: {text}')
            found += 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
