// The key of this device for an account, as static/sign.js keeps it: it signs here and cannot be given away (P6.1).

function stored() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("mingbiao", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const asked = opening.result.transaction("keys").objectStore("keys").getAll();
      asked.onsuccess = () => {
        opening.result.close();
        resolve(asked.result);
      };
      asked.onerror = () => reject(asked.error);
    };
  });
}

// The one that the platform lists as active, or null; `active`: the key ids, in one text.
export async function keyOf(account, role, active) {
  const all = await stored().catch(() => []);
  return all.find((key) => key.account === account && key.role === role && active.includes(key.kid)) ?? null;
}
