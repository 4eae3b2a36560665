"""The vehicle side: everything here runs without torch and without cups_train."""

from pkgutil import extend_path

# In a source checkout this folder hides the installed one, which holds the generated cups_ros.msg: search both.
__path__ = extend_path(__path__, __name__)
