#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Usage: post-edit.py target FILE NAME      TARGETS += NAME in a selftests Makefile
       post-edit.py toctree FILE NAME     NAME in the table of contents of an index.rst
       post-edit.py maintainers FILE NEW  the entries of file NEW into MAINTAINERS
       post-edit.py cover FILE TEXT       the text into what format-patch made

Edits FILE as the patches that scripts/post makes need it: each thing at its
place in the order that the file keeps. What is there already is left alone.
"""
import re
import sys


def target(text, name):
    line = f'TARGETS += {name}\n'
    if line in text:
        return text
    lines = text.splitlines(True)
    at = [i for i, s in enumerate(lines) if s.startswith('TARGETS += ')]
    if not at:
        sys.exit('post-edit.py: no TARGETS in the Makefile')
    after = [i for i in at if lines[i] < line]
    lines.insert(after[-1] + 1 if after else at[0], line)
    return ''.join(lines)


def toctree(text, name):
    if re.search(rf'^\s+{re.escape(name)}(/index)?$', text, re.M):
        return text
    # The table under "System calls" where there is one, else the first
    start = re.search(r'^System calls\n=+\n', text, re.M)
    m = re.compile(r'^\.\. toctree::\n((?: +:.*\n)*)\n((?: +\S.*\n)+)', re.M).search(
        text, start.end() if start else 0)
    if not m:
        sys.exit('post-edit.py: no toctree in the index')
    indent = re.match(' +', m[2])[0]
    return text[:m.end()] + f'{indent}{name}\n' + text[m.end():]


def maintainers(text, new):
    # Entries stand apart by an empty line, in the order of their first lines,
    # more or less: the right place is where the fewest are on the wrong side.
    for entry in re.split(r'\n\n+', new.strip()):
        entry += '\n'
        title = entry.split('\n', 1)[0]
        if f'\n{title}\n' in text:
            continue
        start = text.index('\nMaintainers List\n')
        others = list(re.finditer(r'(?<=\n\n)([^\n]+)\n(?=[A-Z]:\t)', text[start:]))
        if not others:
            sys.exit('post-edit.py: no entries in MAINTAINERS')
        wrong = best = sum(m[1].upper() < title.upper() for m in others)
        at = others[0]
        for m, following in zip(others, others[1:]):
            wrong += 1 if m[1].upper() > title.upper() else -1
            if wrong < best:
                best, at = wrong, following
        at = start + at.start()
        text = text[:at] + entry + '\n' + text[at:]
    return text


def cover(text, own):
    subject, _, body = own.partition('\n')
    for mark, what in (('*** SUBJECT HERE ***', subject), ('*** BLURB HERE ***', body.strip())):
        if mark not in text:
            sys.exit(f'post-edit.py: no {mark} in the cover letter')
        text = text.replace(mark, what, 1)
    return text


def main(argv):
    if len(argv) != 4 or argv[1] not in ('target', 'toctree', 'maintainers', 'cover'):
        print(__doc__)
        return 0 if '--help' in argv or '-h' in argv else 1
    how, name, arg = argv[1:]
    with open(name, encoding='utf-8') as f:
        text = f.read()
    if how in ('maintainers', 'cover'):
        with open(arg, encoding='utf-8') as f:
            arg = f.read()
    text = {'target': target, 'toctree': toctree, 'maintainers': maintainers,
            'cover': cover}[how](text, arg)
    with open(name, 'w', encoding='utf-8') as f:
        f.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
