"""What of README and docs is made by a program: tables and figures from the committed logs, commands from their help.

`python -m docs.made` (`make figures`) writes all of it anew, and a test holds that nothing would change by it. Two
things have commands of their own: `python -m docs.made.notebook` executes the notebook, and
`python -m docs.made.screenshots runs/quickstart` (`make screenshots`) needs trained models and a browser.
"""
