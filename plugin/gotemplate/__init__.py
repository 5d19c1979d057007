"""Go's ``text/template`` as Docker's log drivers use it, for tags and other options that are templates.

What is where:
    lexer, expressions, parser    text → pieces → tree (nodes, literals)
    walk, arguments               what checking and rendering share: how names, fields and arguments are resolved
    checker                       what is wrong with a tree, before there is data
    evaluator, limits             a tree and a value → text, with bounds on the work
    functions                     what a template can call: compare, escapes, floats, jsontext, printf, runes, sprint
    values, times                 what a template handles: Go's types, a time
"""

from plugin.gotemplate.errors import TemplateError
from plugin.gotemplate.template import Template, compile_template

__all__ = ["Template", "TemplateError", "compile_template"]
