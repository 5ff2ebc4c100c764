import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const service = process.env["OVERROUND_SERVICE"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../src/overround/web/static", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  server: { proxy: { "/api": service, "/health": service } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
