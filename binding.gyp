{
  "targets": [
    {
      "target_name": "conntrackd",
      "sources": [
        "native/addon.cc",
        "native/socket.cc",
        "native/batch.cc",
        "native/poll.cc",
        "native/host.cc",
        "native/loop.cc",
        "native/ahead.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      "cflags": ["-Wall", "-Wextra", "-Wno-cast-function-type", "-O2"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions"]
    },
    {
      "target_name": "launcher",
      "product_name": "conntrackd",
      "type": "executable",
      "sources": [
        "native/launcher/main.cc",
        "native/launcher/configuration.cc",
        "native/launcher/request.cc",
        "native/launcher/node.cc"
      ],
      "cflags": ["-Wall", "-Wextra", "-O2"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti"],
      "ldflags!": ["-pthread", "-rdynamic"],
      "ldflags": ["-static-libstdc++", "-static-libgcc", "-Wl,--as-needed", "-Wl,-z,now"]
    }
  ]
}
